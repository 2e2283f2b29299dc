"""Fisher averages and regression means against least squares and numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from geojax.merging import average, diagonal_fisher, fisher_average, regmean


def test_regmean_is_the_least_squares_solution():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(3, 9, 4))
    kernels = random.normal(size=(3, 4, 2))
    grams = np.stack([x.T @ x for x in inputs])
    x = np.concatenate(inputs)
    y = np.concatenate([i @ w for i, w in zip(inputs, kernels)])
    want = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(jax.jit(regmean)(kernels, grams, shrink=1.0), want, atol=1e-10)


def test_regmean_averages_what_has_no_gram_matrix_and_equal_models():
    kernels = np.random.default_rng(0).normal(size=(3, 4, 2))
    grams = np.stack([np.eye(4)] * 3)
    got = jax.jit(regmean)({"b": np.arange(3.0), "w": kernels}, {"b": None, "w": grams})
    assert got["b"] == 1
    np.testing.assert_allclose(got["w"], np.mean(kernels, axis=0), atol=1e-14)
    with pytest.raises(ValueError, match="which stack lacks"):
        regmean({"w": kernels}, {"v": grams})
    with pytest.raises(ValueError, match=r"grams\['w'\]"):
        regmean({"w": kernels}, {"w": grams[:, :3]})


def test_fisher_average_is_the_mode_of_a_product_of_gaussians():
    random = np.random.default_rng(1)
    stack, fishers = random.normal(size=(3, 5)), random.random((3, 5))
    mode = fisher_average(stack, fishers)

    def density(x):
        return -jnp.sum(fishers * (x - stack) ** 2)

    np.testing.assert_allclose(jax.jit(jax.grad(density))(mode), 0, atol=1e-12)
    assert np.allclose(fisher_average(stack, np.ones((3, 5))), average(stack, np.ones(3)))
    fishers[0, 0] = np.nan
    assert np.isnan(np.asarray(fisher_average(stack, fishers))[0])


def test_diagonal_fisher_of_a_logistic_model_is_its_closed_form():
    """Labels in the share that the model gives them: E (y - p)^2 x^2 = p (1 - p) x^2."""
    x = np.array([0.5, -1.0, 2.0])
    theta = {"w": np.array([0.3, 0.2, -0.4]), "name": "logistic"}
    p = scipy.special.expit(x @ theta["w"])

    def log_likelihood(params, x, y, weight):
        z = x @ params["w"]
        return jnp.sqrt(weight) * (y * jax.nn.log_sigmoid(z) + (1 - y) * jax.nn.log_sigmoid(-z))

    both = np.stack([x, x]), np.array([1.0, 0.0]), 2 * np.array([p, 1 - p])
    got = diagonal_fisher(log_likelihood, theta, *both)
    np.testing.assert_allclose(got["w"], p * (1 - p) * x**2, rtol=1e-12)
    assert got["name"] is None
    with pytest.raises(ValueError, match="examples is empty"):
        diagonal_fisher(log_likelihood, theta)
