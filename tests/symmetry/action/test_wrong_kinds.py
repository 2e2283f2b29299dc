"""Arguments of the wrong kind are answered by name: what was given, what is expected, and what to write."""

import jax
import jax.numpy as jnp
import pytest

import geojax as gj
from geojax.symmetry import (
    MatchingResult,
    SymmetrySpec,
    act,
    collect,
    compose,
    identity,
    infer,
    inverse,
    random_element,
    verify,
)


def mlp(params, x):
    return jnp.tanh(x @ params["in"]) @ params["out"]


PARAMS = {"in": jnp.ones((3, 4)), "out": jnp.ones((4, 2))}
X = jnp.ones((5, 3))
KEY = jax.random.key(0)
SPEC = infer(mlp, PARAMS, X, verify=False)
OTHER = infer(
    lambda p, x: jnp.tanh(x @ p["a"]) @ p["b"],
    {"a": jnp.ones((3, 5)), "b": jnp.ones((5, 2))},
    X,
    verify=False,
)
ELEMENT = identity(SPEC)
MATCH = MatchingResult(ELEMENT, *(jnp.zeros(()),) * 4)

CASES = {
    "act on a match": (lambda: act(SPEC, MATCH, PARAMS), "element is a MatchingResult.*Write match.element"),
    "act with params first": (
        lambda: act(PARAMS, SPEC, ELEMENT),
        r"spec is a dict.*Write act\(spec, element, params\)",
    ),
    "act on a spec": (lambda: act(SPEC, SPEC, PARAMS), "element is a SymmetrySpec"),
    "act on an array": (
        lambda: act(SPEC, jnp.arange(4), PARAMS),
        r"element is int64\[4\]; .*a dict {group name: array}",
    ),
    "act with a match as params": (lambda: act(SPEC, ELEMENT, MATCH), "params is a MatchingResult"),
    "act with a function as params": (lambda: act(SPEC, ELEMENT, mlp), "params is the function mlp"),
    "act with None in an element": (lambda: act(SPEC, {"in": None}, PARAMS), r"element\['in'\] is None"),
    "the class instead of a spec": (lambda: identity(SymmetrySpec), "spec is the class SymmetrySpec"),
    "a match instead of a spec": (lambda: inverse(MATCH, ELEMENT), "inverse: spec is a MatchingResult"),
    "compose with matches": (lambda: compose(SPEC, MATCH, MATCH), "compose: g is a MatchingResult.*match.element"),
    "compose with a list": (lambda: compose(SPEC, ELEMENT, [1]), "compose: h is a list"),
    "inverse of a list": (lambda: inverse(SPEC, [ELEMENT]), "inverse: g is a list"),
    "random element of params": (lambda: random_element(PARAMS, KEY), "random_element: spec is a dict"),
    "random element by a number": (lambda: random_element(SPEC, 0), "random_element: key is .*jax.random.key"),
    "verify by a number": (lambda: verify(SPEC, mlp, PARAMS, X, key=0), "verify: key is .*jax.random.key"),
    "verify with params first": (
        lambda: verify(PARAMS, mlp, SPEC, X, key=KEY),
        r"verify: spec is a dict.*Write verify\(spec, apply, params, \*inputs, key=key\)",
    ),
    "verify with apply and params swapped": (lambda: verify(SPEC, PARAMS, mlp, X, key=KEY), "verify: apply is a dict"),
    "collect with apply and params swapped": (lambda: collect(SPEC, PARAMS, mlp, X), "collect: apply is a dict"),
    "collect without a spec": (lambda: collect(mlp, PARAMS, X), "collect: spec is the function mlp"),
    "infer with apply and params swapped": (
        lambda: infer(PARAMS, mlp, X),
        r"infer: apply is a dict.*Write infer\(apply, params, \*inputs\)",
    ),
    "infer of a number": (lambda: infer(3, PARAMS, X), "infer: apply is 3"),
    "infer of two functions": (lambda: infer(mlp, mlp, X), "infer: params is the function mlp"),
    "infer of a spec": (lambda: infer(mlp, SPEC, X), "infer: params is a SymmetrySpec"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES, ids=[name.replace(" ", "-") for name in CASES])
def test_wrong_kind_is_answered(name):
    call, message = CASES[name]
    with pytest.raises(TypeError, match=f"(?s){message}"):
        call()


def test_element_of_another_spec_is_answered():
    element = {"elsewhere": jnp.arange(4)}
    with pytest.raises(
        ValueError, match=r"unknown group 'elsewhere'; the spec has in.*Use an element of this spec"
    ):
        act(SPEC, element, PARAMS)
    with pytest.raises(ValueError, match=r"compose: g: unknown group 'a'"):
        compose(SPEC, identity(OTHER), ELEMENT)


def test_element_of_the_same_names_and_other_sizes_is_answered():
    wider = {"in": jnp.arange(5)}
    with pytest.raises(ValueError, match=r"act: element\['in'\]: got shape \(5,\), expected \(4,\)"):
        act(SPEC, wider, PARAMS)


def test_right_calls_pass():
    assert act(SPEC, MATCH.element, PARAMS).keys() == PARAMS.keys()
    assert gj.symmetry.verify(SPEC, mlp, PARAMS, X, key=KEY).passed
