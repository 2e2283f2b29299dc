"""Subspaces of weights: principal directions, moments of samples, and the law of SGD on a quadratic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import collect_weights, sample_subspace, weight_subspace


def test_directions_and_variances_match_numpy():
    stack = jax.random.normal(jax.random.key(0), (7, 4)) * jnp.array([3.0, 2.0, 1.0, 0.1])
    space = weight_subspace(stack, num=3)
    values, vectors = np.linalg.eigh(np.cov(np.asarray(stack).T))
    np.testing.assert_allclose(space.variances, values[::-1][:3], rtol=1e-10)
    overlap = np.abs(np.asarray(space.basis) @ vectors[:, ::-1][:, :3])
    np.testing.assert_allclose(overlap, np.eye(3), atol=1e-8)


def test_samples_have_the_mean_and_the_variances():
    stack = {"w": jax.random.normal(jax.random.key(1), (6, 3)), "n": jnp.arange(6)}
    space = weight_subspace(stack, num=5)
    keys = jax.random.split(jax.random.key(2), 20000)
    drawn = jax.vmap(lambda key: sample_subspace(space, key=key))(keys)
    np.testing.assert_allclose(jnp.mean(drawn["w"], axis=0), jnp.mean(stack["w"], axis=0), atol=0.05)
    np.testing.assert_allclose(jnp.cov(drawn["w"].T), jnp.cov(stack["w"].T), atol=0.08)
    assert jnp.all(drawn["n"] == 0)


def test_sgd_on_a_quadratic_has_the_covariance_of_its_lyapunov_equation():
    """x <- x - r (h x + noise): the stationary variance along each axis is r s^2 / (h (2 - r h))."""
    h, rate, noise = jnp.array([2.0, 0.5]), 0.2, jnp.array([1.0, 0.6])

    def step(x, key):
        return x - rate * (h * x + noise * jax.random.normal(key, (2,)))

    start = jnp.zeros(2)
    stack = collect_weights(step, start, key=jax.random.key(3), num=1000, every=25)
    want = rate * noise**2 / (h * (2 - rate * h))
    space = weight_subspace(stack[40:], num=2)
    # Three standard deviations of a sample variance; after 25 steps the iterates are all but independent.
    np.testing.assert_allclose(jnp.sort(space.variances), jnp.sort(want), rtol=3 * (2 / 960) ** 0.5)
    leading = int(jnp.argmax(want))
    assert jnp.abs(space.basis[0, leading]) > 0.98


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="at most 2"):
        weight_subspace(jnp.ones((2, 3)), num=3)
    with pytest.raises(ValueError, match="num is 0"):
        collect_weights(lambda p, key: p, jnp.zeros(1), key=jax.random.key(0), num=0)
