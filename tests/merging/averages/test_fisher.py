"""Fisher averages and regression means against least squares and numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import average, diagonal_fisher, fisher_average, regmean


def test_regmean_is_the_least_squares_solution():
    keys = jax.random.split(jax.random.key(0), 6)
    inputs = [jax.random.normal(k, (9, 4)) for k in keys[:3]]
    kernels = jnp.stack([jax.random.normal(k, (4, 2)) for k in keys[3:]])
    grams = jnp.stack([x.T @ x for x in inputs])
    x = np.concatenate(inputs)
    y = np.concatenate([i @ w for i, w in zip(inputs, kernels)])
    want = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(regmean(kernels, grams, shrink=1.0), want, atol=1e-10)


def test_regmean_averages_what_has_no_gram_matrix_and_equal_models():
    kernels = jax.random.normal(jax.random.key(0), (3, 4, 2))
    grams = jnp.stack([jnp.eye(4)] * 3)
    got = regmean({"b": jnp.arange(3.0), "w": kernels}, {"b": None, "w": grams})
    assert got["b"] == 1
    np.testing.assert_allclose(got["w"], jnp.mean(kernels, axis=0), atol=1e-14)
    with pytest.raises(ValueError, match="which stack lacks"):
        regmean({"w": kernels}, {"v": grams})
    with pytest.raises(ValueError, match=r"grams\['w'\]"):
        regmean({"w": kernels}, {"w": grams[:, :3]})


def test_fisher_average_is_the_mode_of_a_product_of_gaussians():
    keys = jax.random.split(jax.random.key(1))
    stack, fishers = jax.random.normal(keys[0], (3, 5)), jax.random.uniform(keys[1], (3, 5))
    mode = fisher_average(stack, fishers)

    def density(x):
        return -jnp.sum(fishers * (x - stack) ** 2)

    np.testing.assert_allclose(jax.grad(density)(mode), 0, atol=1e-12)
    assert jnp.allclose(fisher_average(stack, jnp.ones((3, 5))), average(stack, jnp.ones(3)))
    assert jnp.isnan(fisher_average(stack, fishers.at[0, 0].set(jnp.nan))[0])


def test_diagonal_fisher_of_a_logistic_model_is_its_closed_form():
    """Labels in the share that the model gives them: E (y - p)^2 x^2 = p (1 - p) x^2."""
    x = jnp.array([0.5, -1.0, 2.0])
    theta = {"w": jnp.array([0.3, 0.2, -0.4]), "name": "logistic"}
    p = jax.nn.sigmoid(x @ theta["w"])

    def log_likelihood(params, x, y, weight):
        z = x @ params["w"]
        return jnp.sqrt(weight) * (y * jax.nn.log_sigmoid(z) + (1 - y) * jax.nn.log_sigmoid(-z))

    both = jnp.stack([x, x]), jnp.array([1.0, 0.0]), 2 * jnp.array([p, 1 - p])
    got = diagonal_fisher(log_likelihood, theta, *both)
    np.testing.assert_allclose(got["w"], p * (1 - p) * x**2, rtol=1e-12)
    assert got["name"] is None
    with pytest.raises(ValueError, match="examples is empty"):
        diagonal_fisher(log_likelihood, theta)
