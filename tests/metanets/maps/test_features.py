"""Channels of weights: what moves them, what does not, and that they stay finite."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.metanets import features
from geojax.symmetry import act, infer, random_element

SHAPES = {"w": (3, 5), "b": (5,), "q": (5, 2, 3), "k": (5, 2, 3), "v": (5, 2, 3), "o": (2, 3, 2)}


def network(params, x):
    """A gelu layer and attention with two heads."""
    h = jax.nn.gelu(x @ params["w"] + params["b"])
    q, k, v = (jnp.einsum("btd,dhc->bthc", h, params[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
    return jnp.einsum("bhts,bshc,hco->bto", weights, v, params["o"])


def draw(number, dtype=np.float64):
    rng = np.random.default_rng(number)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


@functools.cache
def specs():
    """The whole spec, and its permutations."""
    spec = infer(network, draw(0), jnp.ones((2, 4, 3)), verify=False)
    return spec, spec.without(*(name for name, group in spec.groups.items() if group.kind != "permutation"))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_channels_commute_with_permutations(dtype):
    _, spec = specs()
    assert {group.size for group in spec.groups.values()} >= {5, 2}
    element = random_element(spec, jax.random.key(1))
    a, b = draw(1, dtype), draw(2, dtype)
    moved = features(spec, act(spec, element, a), act(spec, element, b))
    expected = jax.vmap(lambda tree: act(spec, element, tree), in_axes=-1, out_axes=-1)(features(spec, a, b))
    for name in SHAPES:
        assert moved[name].dtype == dtype
        np.testing.assert_allclose(moved[name], expected[name], rtol=0, atol=30 * np.finfo(dtype).eps)


@pytest.mark.full
def test_law_units_change_the_size_alone():
    _, spec = specs()
    params = draw(3)
    plain, scaled = (
        features(spec, params),
        features(spec, jax.tree.map(lambda x: 2.0**40 * x, params)),
    )
    for name in SHAPES:
        np.testing.assert_array_equal(plain[name][..., 0], scaled[name][..., 0])
        np.testing.assert_array_equal(plain[name][..., 2:], scaled[name][..., 2:])
        assert np.all(scaled[name][..., 1] > plain[name][..., 1])


def test_matches_the_formula():
    _, spec = specs()
    params = draw(4)
    made = features(spec, params)
    for name, x in params.items():
        r = np.sqrt(np.mean(x**2))
        np.testing.assert_allclose(made[name][..., 0], np.arcsinh(x / r), rtol=1e-13)
        np.testing.assert_allclose(made[name][..., 1], 8 * np.tanh(np.log(r) / 8), rtol=1e-12, atol=1e-14)


def test_held_axes_have_their_index_and_moved_ones_none():
    _, spec = specs()
    made = features(spec, draw(5))
    np.testing.assert_array_equal(made["w"][..., 2], np.broadcast_to([[-1], [0], [1]], (3, 5)))
    np.testing.assert_array_equal(made["b"][..., 2], 0)
    np.testing.assert_array_equal(made["o"][..., 2], np.broadcast_to([-1, 1], (2, 3, 2)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.full
@pytest.mark.parametrize("size", [0.0, 1e-37, 3e38])
def test_finite_at_zeros_and_huge_values(dtype, size):
    _, spec = specs()
    params = {name: np.full(shape, size, dtype) for name, shape in SHAPES.items()}
    made, pull = jax.vjp(lambda p: features(spec, p), params)
    (slope,) = pull(jax.tree.map(jnp.ones_like, made))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((made, slope)))
    assert all(np.max(np.abs(leaf)) <= 8 for leaf in made.values())
    direction = np.arcsinh(1.0) if size else 0.0
    assert all(np.allclose(leaf[..., 0], direction, rtol=1e-5) for leaf in made.values())


def test_other_groups_are_refused_and_named():
    whole, spec = specs()
    with pytest.raises(ValueError, match=r"not permutations: .*general_linear"):
        features(whole, draw(0))
    with pytest.raises(TypeError, match="no tree"):
        features(spec)
    with pytest.raises(ValueError, match=r"trees\[1\]"):
        features(spec, draw(0), {"w": jnp.ones(3)})
    with pytest.raises(TypeError, match="complex"):
        features(spec, {**draw(0), "b": jnp.ones(5, jnp.complex64)})
