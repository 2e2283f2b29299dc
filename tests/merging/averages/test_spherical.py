"""Averages along spheres against scipy's slerp and their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial

from geojax import Status
from geojax.merging import interpolate, karcher, slerp

# Eagerly each call of karcher would compile its loop anew, and every step of slerp.
mean_on_spheres = jax.jit(karcher, static_argnames="max_steps")
along = jax.jit(slerp)


def unit(seed, n=5):
    x = np.random.default_rng(seed).normal(size=n)
    return x / np.linalg.norm(x)


def test_matches_scipy_on_unit_leaves():
    for seed in range(5):
        a, b = (unit((seed, i)) for i in range(2))
        for t in (0.0, 0.3, 0.5, 1.0):
            want = scipy.spatial.geometric_slerp(a, b, t)
            np.testing.assert_allclose(along(a, b, t), want, atol=1e-12)


def test_length_is_kept_and_ends_are_the_models():
    a, b = (3 * unit((0, i)) for i in range(2))
    np.testing.assert_allclose(np.linalg.norm(along(a, b, 0.4)), 3, rtol=1e-13)
    np.testing.assert_allclose(along(a, b, 0.0), a, atol=1e-14)
    np.testing.assert_allclose(along(a, b, 1.0), b, atol=1e-14)
    np.testing.assert_allclose(along(a, 2 * a, 0.5), 1.5 * a, rtol=1e-13)


def test_leaves_without_a_circle_are_mixed_along_the_chord():
    a = unit(0)
    slope = jax.jit(jax.grad(lambda b: jnp.sum(slerp(a, b, 0.25))))
    for b in (-a, np.zeros(5)):
        np.testing.assert_allclose(along(a, b, 0.25), interpolate(a, b, 0.25), atol=1e-14)
        assert np.all(np.isfinite(slope(b)))


def test_karcher_of_two_is_slerp_and_of_equal_ones_the_model():
    a, b = (2 * unit((1, i)) for i in range(2))
    found = mean_on_spheres(np.stack([a, b]), np.array([3.0, 1.0]), tol=1e-12)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, along(a, b, 0.25), atol=1e-10)
    np.testing.assert_allclose(mean_on_spheres(np.stack([a, a, a]), np.ones(3)).params, a, atol=1e-12)


def test_karcher_of_zero_leaves_is_their_average():
    stack = {"b": np.zeros((2, 3)), "w": np.eye(2)}
    found = mean_on_spheres(stack, np.ones(2))
    np.testing.assert_array_equal(found.params["b"], 0)
    np.testing.assert_allclose(np.linalg.norm(found.params["w"]), 1, rtol=1e-6)
    broken = np.array([unit(0), np.full(5, np.nan), unit(1)])
    assert mean_on_spheres(broken, np.ones(3)).status == Status.NONFINITE
    with pytest.raises(ValueError, match=r"weights has shape \[3\]"):
        mean_on_spheres(stack, np.ones(3))
