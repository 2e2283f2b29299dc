"""The group laws of elements, on specs with every kind of group and with parents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.symmetry import SymmetrySpec, act, collect, compose, identity, inverse, random_element


def stream(params, x):
    """Experts on a stream that is free to rotate: orthogonal, general linear, scaling, sign, two levels of parents."""

    def norm(h):
        return h * jax.lax.rsqrt(jnp.mean(h * h, -1, keepdims=True) + 1e-6)

    h = x @ params["in"]

    def layer(h, p):
        q, k, v = (jnp.einsum("btd,dhc->bthc", norm(h), p[name]) for name in "qkv")
        weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
        h = h + jnp.einsum("bhts,bshc,hcd->btd", weights, v, p["o"])
        up = jnp.einsum("btd,edf->btef", norm(h), p["up"])
        return h + jnp.einsum("btef,efd->btd", jax.nn.relu(up), p["down"]), None

    h, _ = jax.lax.scan(layer, h, params["layers"])
    return norm(h) @ params["out"]


SHAPES = {"q": (5, 2, 3), "k": (5, 2, 3), "v": (5, 2, 3), "o": (2, 3, 5), "up": (3, 5, 4), "down": (3, 4, 5)}


@pytest.fixture(scope="module")
def model():
    keys = iter(jax.random.split(jax.random.key(0), 9))
    params = {"in": jax.random.normal(next(keys), (3, 5)), "out": jax.random.normal(next(keys), (5, 2))}
    params["layers"] = {
        name: jax.random.normal(next(keys), (2, *shape)) / 3 for name, shape in SHAPES.items()
    }
    x = jax.random.normal(next(keys), (4, 3, 3))
    return gj.symmetry.infer(stream, params, x, verify=False), params, x


def close(a, b):
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-11), a, b)


def test_the_model_has_every_kind_but_sign(model):
    spec, *_ = model
    assert {group.kind for group in spec.groups.values()} == {
        "permutation",
        "scaling",
        "orthogonal",
        "general_linear",
    }
    assert any(len(group.parents) == 2 for group in spec.groups.values())


def test_laws_of_a_group(model, key):
    spec, params, x = model
    laws = jax.jit(
        lambda g, h, k: {
            "action": (act(spec, compose(spec, g, h), params), act(spec, g, act(spec, h, params))),
            "associative": (compose(spec, compose(spec, g, h), k), compose(spec, g, compose(spec, h, k))),
            "inverse": (compose(spec, g, inverse(spec, g)), identity(spec)),
            "other inverse": (compose(spec, inverse(spec, g), g), identity(spec)),
            "neutral": (act(spec, identity(spec), params), params),
            "invariant": (stream(act(spec, g, params), x), stream(params, x)),
        }
    )
    for keys in jax.random.split(key, (8, 3)):
        for name, (left, right) in laws(*(random_element(spec, k) for k in keys)).items():
            try:
                close(left, right)
            except AssertionError as error:
                raise AssertionError(name) from error


def test_a_missing_group_acts_as_the_identity(model, key):
    spec, params, _ = model
    element = random_element(spec, key)
    name = next(iter(element))
    close(
        act(spec, {name: element[name]}, params), act(spec, {**identity(spec), name: element[name]}, params)
    )


def test_activations_move_as_the_units_do(model, key):
    spec, params, x = model
    element = {n: g for n, g in random_element(spec, key).items() if spec.groups[n].kind == "permutation"}
    before, after = collect(spec, stream, params, x), collect(spec, stream, act(spec, element, params), x)
    assert before
    for name, units in before.items():
        group = spec.groups[name]
        moved = units
        for axis, parent in enumerate(group.parents):
            if parent in element:
                indices = element[parent].reshape(
                    element[parent].shape + (1,) * (len(group.shape) - element[parent].ndim)
                )
                moved = jnp.take_along_axis(moved, indices[None], axis + 1)
        moved = jnp.take_along_axis(moved, element[name][None], -1)
        np.testing.assert_allclose(after[name], moved, rtol=1e-9, atol=1e-11, err_msg=name)


def test_spec_survives_json_and_refuses_other_text(model):
    spec, *_ = model
    assert SymmetrySpec.from_json(spec.to_json()) == spec
    for text in ("", "{", "[1, 2]", '{"type": "Group"}', spec.to_json()[:-200]):
        with pytest.raises(ValueError, match="saved SymmetrySpec"):
            SymmetrySpec.from_json(text)


def test_parameters_and_elements_that_do_not_fit_are_refused(model):
    spec, params, _ = model
    with pytest.raises(ValueError, match=r"missing: out \(5, 2\)"):
        act(spec, {}, {name: leaf for name, leaf in params.items() if name != "out"})
    with pytest.raises(ValueError, match="unknown group 'nobody'"):
        act(spec, {"nobody": jnp.arange(3)}, params)
    name = next(iter(spec.groups))
    with pytest.raises(ValueError, match="got shape \\(7,\\)"):
        compose(spec, {name: jnp.arange(7)}, {})


def test_compose_meets_a_scaling_named_like_its_axis():
    """A layer of one unit has no permutations, and its scaling may have the name that they would have had."""
    product = lambda p, x: jax.nn.relu(x @ p["u"]) @ p["v"]
    spec = gj.symmetry.infer(
        product, {"u": jnp.ones((1, 1)), "v": jnp.ones((1, 1))}, jnp.ones((2, 1)), verify=False
    )
    (name,) = spec.groups
    two = {name: 2 * identity(spec)[name]}
    np.testing.assert_array_equal(compose(spec, two, inverse(spec, two))[name], identity(spec)[name])
