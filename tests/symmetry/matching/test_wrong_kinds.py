"""Wrong kinds of argument are answered at the door: what was given, what is expected and what to write."""

import functools
import operator
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import geojax as gj
from geojax.symmetry import (
    activation_matching,
    canonicalize,
    frank_wolfe_matching,
    min_norm_rescaling,
    sinkhorn_matching,
    straight_through_matching,
    teleport,
    universe_matching,
    weight_matching,
    width_matching,
    with_teleportation,
)
from tests.symmetry.inference.handmade import mlp, numpy_draw

SPEC = mlp([3, 4, 2])
A = numpy_draw(SPEC, 0)
WIDE = numpy_draw(mlp([3, 5, 2]), 1)
KEY = jax.random.key(2)
X = np.ones((5, 3))
MATCH = gj.symmetry.MatchingResult({"h0": jnp.arange(4)}, *jnp.zeros(3), jnp.int32(0))


def apply(params, x):
    return jnp.tanh(x @ params["0"]["w"] + params["0"]["b"]) @ params["1"]["w"] + params["1"]["b"]


def loss(params, key=None):
    return jnp.mean(apply(params, X) ** 2)


BY_WEIGHTS = functools.partial(weight_matching, key=KEY)
# One entry for each kind of mistake: the call, its arguments, and words of the answer.
CALLS = {
    "a dict in place of the spec": (BY_WEIGHTS, ({}, A, A), TypeError, "spec is a dict; expected a SymmetrySpec"),
    "the class in place of the spec": (
        BY_WEIGHTS, (gj.symmetry.SymmetrySpec, A, A), TypeError, "spec is the class SymmetrySpec",
    ),
    "a function in place of parameters": (
        BY_WEIGHTS, (SPEC, loss, A), TypeError, "params_a is the function loss; expected a tree of parameters",
    ),
    "a result in place of parameters": (BY_WEIGHTS, (SPEC, A, MATCH), TypeError, "params_b is a MatchingResult"),
    "the parameters of another model": (
        BY_WEIGHTS, (SPEC, A, WIDE), ValueError, "weight_matching: params_b: params does not fit",
    ),
    "half a model": (BY_WEIGHTS, (SPEC, {"0": A["0"]}, A), ValueError, "weight_matching: params_a: .*missing: 1/w"),
    "a Python number in place of an array": (
        BY_WEIGHTS, (SPEC, {**A, "1": {**A["1"], "b": 1.0}}, A), ValueError, "1/b: got a float, expected an array",
    ),
    "no array": (BY_WEIGHTS, (SPEC, {**A, "1": {**A["1"], "b": None}}, A), ValueError, "missing: 1/b"),
    "a random key in place of an array": (
        BY_WEIGHTS, (SPEC, {**A, "1": {**A["1"], "b": KEY}}, A), ValueError, "1/b: got a .*, expected an array",
    ),
    "a result in place of the start": (
        functools.partial(BY_WEIGHTS, init=MATCH), (SPEC, A, A), TypeError, "init is a MatchingResult; .*element",
    ),
    "an unknown group in the start": (
        functools.partial(BY_WEIGHTS, init={"nobody": jnp.arange(4)}), (SPEC, A, A), ValueError,
        "weight_matching: init: unknown group 'nobody'",
    ),
    "a start of another width": (
        functools.partial(frank_wolfe_matching, init={"h0": jnp.arange(5)}), (SPEC, A, A), ValueError,
        "frank_wolfe_matching: init",
    ),
    "an old random key": (
        functools.partial(weight_matching, key=jnp.zeros(2, jnp.uint32)), (SPEC, A, A), TypeError,
        "weight_matching: key",
    ),
    "a number of steps that is no integer": (
        functools.partial(BY_WEIGHTS, max_steps=1.5), (SPEC, A, A), TypeError, "weight_matching: max_steps is 1.5",
    ),
    "apply and params swapped": (
        activation_matching, (SPEC, A, apply, A, X), TypeError,
        "apply is a dict; expected a function apply.*activation_matching\\(spec, apply",
    ),
    "another model's activations": (
        activation_matching, (SPEC, apply, A, WIDE, X), ValueError, "activation_matching: params_b",
    ),
    "loss and params swapped": (
        functools.partial(straight_through_matching, key=KEY), (SPEC, A, loss, A), TypeError,
        "straight_through_matching: loss is a dict; expected a function",
    ),
    "no loss": (
        functools.partial(sinkhorn_matching, key=KEY), (SPEC, A, A, A), TypeError, "sinkhorn_matching: loss is a dict",
    ),
    "one model in place of many": (
        functools.partial(universe_matching, key=KEY), (SPEC, A), ValueError, "models is one model; expected a stack",
    ),
    "no model": (functools.partial(universe_matching, key=KEY), (SPEC, []), ValueError, "models is empty"),
    "a list with a wrong model": (
        functools.partial(universe_matching, key=KEY), (SPEC, [A, WIDE]), ValueError, "models\\[1\\]: params does not",
    ),
    "a stack of different numbers": (
        functools.partial(universe_matching, key=KEY),
        (SPEC, {**jax.tree.map(lambda x: jnp.stack([x, x]), A), "1": jax.tree.map(lambda x: x[None], A["1"])}),
        ValueError, "the same number N of models",
    ),
    "a stack of other leaves": (
        functools.partial(universe_matching, key=KEY), (SPEC, {"w": jnp.ones((2, 3))}), ValueError, "expected a stack",
    ),
    "one spec for two widths": (
        functools.partial(width_matching, key=KEY), (SPEC, {}, A, A), TypeError, "width_matching: spec is a dict",
    ),
    "canonicalize without a spec": (canonicalize, (A, A), TypeError, "canonicalize: spec is a dict"),
    "min_norm_rescaling with a loss": (
        min_norm_rescaling, (SPEC, loss), TypeError, "min_norm_rescaling: params is the function loss",
    ),
    "teleport with arguments swapped": (teleport, (SPEC, A, loss), TypeError, "teleport: loss is a dict"),
    "teleport without a spec": (teleport, (None, loss, A), TypeError, "teleport: spec is None"),
    "no optimizer": (
        functools.partial(with_teleportation, every=2), (SPEC, {}), TypeError,
        "optimizer is a dict; expected an optax transformation",
    ),
    "optimizer and spec swapped": (
        functools.partial(with_teleportation, every=2), (optax.sgd(1.0), SPEC), TypeError,
        "spec is a GradientTransformation.*; expected a SymmetrySpec",
    ),
    "no mask": (gj.symmetry.apply_asymmetric, (A, {}), TypeError, "mask is a dict; expected an AsymmetricMask"),
    "no spec to count": (gj.symmetry.permutation_count, ({},), TypeError, "permutation_count: spec is a dict"),
    "fold_scales of another model": (gj.symmetry.fold_scales, (SPEC, WIDE), ValueError, "fold_scales: params"),
    "no spec to sort by": (gj.symmetry.canonical_permutation, (A, A), TypeError, "canonical_permutation: spec is"),
    "no spec to mask": (
        functools.partial(gj.symmetry.asymmetric_mask, key=KEY), (A,), TypeError, "asymmetric_mask: spec is a dict",
    ),
}  # fmt: skip


@pytest.mark.parametrize("call, arguments, error, answer", CALLS.values(), ids=CALLS)
def test_a_wrong_argument_is_answered(call, arguments, error, answer):
    with pytest.raises(error, match=re.compile(answer, re.DOTALL)):
        call(*arguments)


EXTRA = {"f": jnp.tanh, "name": "net", "none": None, "rate": 0.1, "key": jax.random.key(3)}


def test_other_leaves_pass_through_what_moves_parameters():
    """Functions, strings, None, Python numbers and random keys come back as they are."""
    relu = lambda p, x: jax.nn.relu(x @ p["w"]) @ p["v"]
    params = {"w": np.random.default_rng(2).normal(size=(3, 4)), "v": np.ones((4, 2)), **EXTRA}
    spec = gj.symmetry.infer(relu, params, X, verify=False)
    kept = []

    def arrays_of(function):
        """The arrays of what a function returns; the other leaves, which no program returns, are kept apart."""

        def call(w):
            result = function({**params, "w": w})
            kept.append({name: result[name] for name in EXTRA})
            return operator.itemgetter("w", "v")(result)

        return jax.jit(call)(params["w"])

    canonical = canonicalize(spec, params)
    for x, y in zip(
        arrays_of(lambda p: canonicalize(spec, p)), operator.itemgetter("w", "v")(canonical), strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=1e-5)
    arrays_of(lambda p: gj.symmetry.fold_scales(spec, p))
    arrays_of(lambda p: gj.symmetry.units.merge_equivalent_units(spec, p, threshold=0.0).params)
    assert kept == [EXTRA] * 3
    loss_of = lambda p, key: jnp.mean(relu(p, X) ** 2)
    by_loss = functools.partial(straight_through_matching, init={}, num_steps=1)
    matched = jax.eval_shape(lambda key: by_loss(spec, loss_of, params, params, key=key), KEY)
    together = jax.eval_shape(lambda key: universe_matching(spec, [params, params], key=key), KEY)
    assert matched.element.keys() == together.element.keys() == spec.groups.keys()
