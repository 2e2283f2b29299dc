"""Model Stock on planted geometry, where the answer is a foot of a perpendicular."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import model_stock, pairwise_cosine

stock = jax.jit(model_stock)  # eagerly every step of it is a program


def planted(seed, count, size=3.0, noise=0.7, dimension=12):
    """A base, models mu + noise of one length, orthogonal to mu - base and to each other, and mu."""
    random = np.random.default_rng(seed)
    q = np.linalg.qr(random.normal(size=(dimension, dimension)))[0]
    base = random.normal(size=dimension)
    mu = base + size * q[0]
    return base, mu + noise * q[1 : count + 1], mu


@pytest.mark.parametrize("count", [2, 3, 5])
def test_law_foot_of_the_perpendicular(count):
    for seed in range(3):
        base, stack, mu = planted(seed, count)
        rows = stack - base
        coordinates = np.linalg.lstsq(rows.T, mu - base, rcond=None)[0]
        np.testing.assert_allclose(stock(base, stack), base + coordinates @ rows, atol=1e-10)


def test_equal_models_orthogonal_models_and_order():
    base, stack, _ = planted(0, 3)
    same = np.stack([stack[0]] * 3)
    np.testing.assert_allclose(stock(base, same), stack[0], atol=1e-13)
    np.testing.assert_allclose(stock(np.zeros(3), np.eye(3)), 0, atol=1e-15)
    np.testing.assert_allclose(stock(base, stack[::-1]), stock(base, stack), atol=1e-13)


def test_cosines_match_numpy():
    base, stack, _ = planted(1, 4)
    rows = stack - base
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(pairwise_cosine(base, stack), rows @ rows.T, atol=1e-13)


def test_a_model_equal_to_the_base_has_finite_derivatives():
    stack = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert np.all(np.isfinite(jax.jit(jax.jacobian(lambda s: model_stock(np.zeros(2), s)))(stack)))
    with pytest.raises(ValueError, match="two or more"):
        model_stock(jnp.zeros(2), jnp.ones((1, 2)))


def test_periodic_stock_of_two_noisy_runs_ends_nearer_to_the_optimum():
    """Two runs of SGD from one base on a bowl with noisy gradients, merged every 20 steps and sent on from there."""
    random = np.random.default_rng(0)
    base, optimum = random.normal(size=(2, 200))

    def run(start, steps):
        x = start
        for _ in range(steps):
            x = x - 0.1 * (x - optimum + random.normal(size=200))
        return x

    alone = np.mean([np.sum((run(base, 100) - optimum) ** 2) for _ in range(4)])
    merged = base
    for _ in range(5):
        merged = np.asarray(model_stock(merged, np.stack([run(merged, 20) for _ in range(2)])))
    assert np.sum((merged - optimum) ** 2) < 0.8 * alone
