"""Subspaces of weights: principal directions, moments of samples, and the law of SGD on a quadratic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import collect_weights, sample_subspace, weight_subspace


def test_directions_and_variances_match_numpy():
    stack = np.random.default_rng(0).normal(size=(7, 4)) * [3.0, 2.0, 1.0, 0.1]
    space = jax.jit(lambda stack: weight_subspace(stack, num=3))(stack)
    values, vectors = np.linalg.eigh(np.cov(stack.T))
    np.testing.assert_allclose(space.variances, values[::-1][:3], rtol=1e-10)
    overlap = np.abs(np.asarray(space.basis) @ vectors[:, ::-1][:, :3])
    np.testing.assert_allclose(overlap, np.eye(3), atol=1e-8)


def test_samples_have_the_mean_and_the_variances():
    stack = {"w": np.random.default_rng(1).normal(size=(6, 3)), "n": np.arange(6)}

    @jax.jit
    def samples(stack, keys):
        space = weight_subspace(stack, num=5)
        return jax.vmap(lambda key: sample_subspace(space, key=key))(keys)

    drawn = jax.tree.map(np.asarray, samples(stack, jax.random.split(jax.random.key(2), 20000)))
    np.testing.assert_allclose(np.mean(drawn["w"], axis=0), np.mean(stack["w"], axis=0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn["w"].T), np.cov(stack["w"].T), atol=0.08)
    assert np.all(drawn["n"] == 0)


def test_sgd_on_a_quadratic_has_the_covariance_of_its_lyapunov_equation():
    """x <- x - r (h x + noise): the stationary variance along each axis is r s^2 / (h (2 - r h))."""
    h, rate, noise = np.array([2.0, 0.5]), 0.2, np.array([1.0, 0.6])

    def step(x, key):
        return x - rate * (h * x + noise * jax.random.normal(key, (2,)))

    @jax.jit
    def subspace(key):
        stack = collect_weights(step, jnp.zeros(2), key=key, num=1000, every=25)
        return weight_subspace(stack[40:], num=2)

    want = rate * noise**2 / (h * (2 - rate * h))
    space = subspace(jax.random.key(3))
    # Three standard deviations of a sample variance; after 25 steps the iterates are all but independent.
    np.testing.assert_allclose(np.sort(space.variances), np.sort(want), rtol=3 * (2 / 960) ** 0.5)
    leading = int(np.argmax(want))
    assert np.abs(space.basis[0, leading]) > 0.98


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match="at most 2"):
        weight_subspace(jnp.ones((2, 3)), num=3)
    with pytest.raises(ValueError, match="num is 0"):
        collect_weights(lambda p, key: p, jnp.zeros(1), key=jax.random.key(0), num=0)
