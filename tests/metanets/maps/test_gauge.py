"""Canonical scales and signs: the same for a whole orbit, and undone by the inverse element."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.metanets import fix_gauge
from geojax.symmetry import act, infer, inverse, random_element

SHAPES = {"a": (3, 4), "b": (4,), "c": (4, 5), "d": (5,), "e": (5, 2)}


def mlp(activation, params, x):
    h = activation(x @ params["a"] + params["b"])
    return activation(h @ params["c"] + params["d"]) @ params["e"]


ACTIVATIONS = {"scaling": jax.nn.relu, "sign": jnp.tanh}


def draw(number, dtype=np.float64):
    rng = np.random.default_rng(number)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


@functools.cache
def spec_of(kind):
    return infer(functools.partial(mlp, ACTIVATIONS[kind]), draw(0), jnp.ones((6, 3)), verify=False)


@functools.cache
def fixing(kind):
    return jax.jit(lambda params: fix_gauge(spec_of(kind), params, tol=1e-12 if kind == "scaling" else 1e-6))


def close(a, b, tolerance):
    for name in SHAPES:
        np.testing.assert_allclose(a[name], b[name], rtol=tolerance, atol=tolerance)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["scaling", "sign"])
def test_law_an_orbit_has_one_gauge(kind):
    """Scalings and signs are forgotten; permutations go through."""
    spec = spec_of(kind)
    assert {group.kind for group in spec.groups.values()} == {"permutation", kind}
    params = draw(1)
    fixed, _ = fixing(kind)(params)
    for number in range(8):
        element = random_element(spec, jax.random.key(number))
        again, _ = fixing(kind)(act(spec, element, params))
        order = {name: array for name, array in element.items() if spec.groups[name].kind == "permutation"}
        close(again, act(spec, order, fixed), 1e-9)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["scaling", "sign"])
def test_law_the_element_leads_there_and_its_inverse_back(kind):
    spec, params = spec_of(kind), draw(2)
    fixed, element = fixing(kind)(params)
    close(act(spec, element, params), fixed, 1e-13)
    close(act(spec, inverse(spec, element), fixed), params, 1e-13)
    x = np.random.default_rng(3).normal(size=(7, 3))
    function = functools.partial(mlp, ACTIVATIONS[kind])
    np.testing.assert_allclose(function(fixed, x), function(params, x), rtol=1e-11, atol=1e-12)


def into_and_out_of(params):
    """Norms of the weights on either side of the units of the two hidden layers."""
    norm = lambda *parts: np.sqrt(sum(np.sum(np.square(part), axis=0) for part in parts))
    first = norm(params["a"], params["b"][None]), norm(params["c"].T)
    second = norm(params["c"], params["d"][None]), norm(params["e"].T)
    return first, second


@pytest.mark.full
def test_units_have_one_norm_on_both_sides_and_dead_ones_norm_one():
    params = draw(4)
    params["a"][:, 1], params["b"][1] = 0, 0  # reads nothing
    params["e"][2] = 0  # is read by nothing
    params["c"][:, 3], params["d"][3], params["e"][3] = 0, 0, 0  # has no weights at all
    fixed, element = fixing("scaling")(params)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((fixed, element)))
    (in_1, out_1), (in_2, out_2) = into_and_out_of({name: np.asarray(leaf) for name, leaf in fixed.items()})
    alive = [0, 2, 3]
    np.testing.assert_allclose(in_1[alive], out_1[alive], rtol=1e-10)
    np.testing.assert_allclose((in_1[1], out_1[1]), (0, 1), rtol=1e-10)
    alive = [0, 1, 4]
    np.testing.assert_allclose(in_2[alive], out_2[alive], rtol=1e-10)
    np.testing.assert_allclose((in_2[2], out_2[2]), (1, 0), rtol=1e-10)
    assert {tuple(leaf.shape) for leaf in element.values()} == {(4,), (5,)}
    moved = act(spec_of("scaling"), random_element(spec_of("scaling"), jax.random.key(5)), params)
    again, _ = fixing("scaling")(moved)
    np.testing.assert_allclose(
        np.sort([np.sum(np.square(leaf)) for leaf in again.values()]),
        np.sort([np.sum(np.square(leaf)) for leaf in fixed.values()]),
        rtol=1e-9,
    )


def test_wrong_calls_are_answered():
    with pytest.raises(ValueError, match="missing: b"):
        fix_gauge(spec_of("sign"), {"a": jnp.ones((3, 4))})
    with pytest.raises(TypeError, match="max_steps"):
        fix_gauge(spec_of("sign"), draw(0), max_steps=1.5)
