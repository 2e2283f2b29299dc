"""Averages along spheres against scipy's slerp and their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial

from geojax import Status
from geojax.merging import interpolate, karcher, slerp

mean_on_spheres = jax.jit(
    karcher, static_argnames="max_steps"
)  # eagerly each call would compile its loop anew


def unit(key, n=5):
    x = jax.random.normal(key, (n,))
    return x / jnp.linalg.norm(x)


def test_matches_scipy_on_unit_leaves():
    for seed in range(5):
        a, b = (unit(k) for k in jax.random.split(jax.random.key(seed)))
        for t in (0.0, 0.3, 0.5, 1.0):
            want = scipy.spatial.geometric_slerp(np.asarray(a), np.asarray(b), t)
            np.testing.assert_allclose(slerp(a, b, t), want, atol=1e-12)


def test_length_is_kept_and_ends_are_the_models():
    a, b = (3 * unit(k) for k in jax.random.split(jax.random.key(0)))
    np.testing.assert_allclose(jnp.linalg.norm(slerp(a, b, 0.4)), 3, rtol=1e-13)
    np.testing.assert_allclose(slerp(a, b, 0.0), a, atol=1e-14)
    np.testing.assert_allclose(slerp(a, b, 1.0), b, atol=1e-14)
    np.testing.assert_allclose(slerp(a, 2 * a, 0.5), 1.5 * a, rtol=1e-13)


def test_leaves_without_a_circle_are_mixed_along_the_chord():
    a = unit(jax.random.key(0))
    for b in (-a, jnp.zeros(5)):
        np.testing.assert_allclose(slerp(a, b, 0.25), interpolate(a, b, 0.25), atol=1e-14)
        gradient = jax.grad(lambda b: jnp.sum(slerp(a, b, 0.25)))(b)
        assert jnp.all(jnp.isfinite(gradient))


def test_karcher_of_two_is_slerp_and_of_equal_ones_the_model():
    a, b = (2 * unit(k) for k in jax.random.split(jax.random.key(1)))
    found = mean_on_spheres(jnp.stack([a, b]), jnp.array([3.0, 1.0]), tol=1e-12)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params, slerp(a, b, 0.25), atol=1e-10)
    np.testing.assert_allclose(mean_on_spheres(jnp.stack([a, a, a]), jnp.ones(3)).params, a, atol=1e-12)


def test_karcher_of_zero_leaves_is_their_average():
    stack = {"b": jnp.zeros((2, 3)), "w": jnp.eye(2)}
    found = mean_on_spheres(stack, jnp.ones(2))
    np.testing.assert_array_equal(found.params["b"], 0)
    np.testing.assert_allclose(jnp.linalg.norm(found.params["w"]), 1, rtol=1e-6)
    assert mean_on_spheres(jnp.array([[1.0, jnp.nan], [0.0, 1.0]]), jnp.ones(2)).status == Status.NONFINITE
    with pytest.raises(ValueError, match=r"weights has shape \[3\]"):
        mean_on_spheres(stack, jnp.ones(3))
