"""Linear circular transport: closed forms, exact circular transport, and the laws of an embedding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from geojax.transport import (
    circular_wasserstein,
    lcot_barycenter,
    lcot_distance,
    lcot_embedding,
    lcot_inverse,
)

N, M, NUM = 12, 9, 64


def test_diracs_are_an_arc_apart():
    distance = jax.jit(lambda x, y: lcot_distance(x, y, num=NUM))
    for a, b, d in [(0.1, 0.4, 0.3), (0.05, 0.95, 0.1), (0.2, 0.7, 0.5), (-0.1, 1.2, 0.3)]:
        np.testing.assert_allclose(distance(np.array([a]), np.array([b])), d, atol=1e-12)


def test_uniform_is_the_origin():
    uniform = (np.arange(NUM) + 0.5) / NUM
    embedding = jax.jit(lambda x: lcot_embedding(x, num=NUM))
    np.testing.assert_allclose(embedding(uniform), 0, atol=1e-12)
    turned = np.asarray(embedding(uniform + 0.3))
    assert np.max(np.abs(turned - turned[0])) < 1e-12
    assert np.max(np.abs(turned)) <= 1 / NUM


@pytest.mark.full
def test_distance_to_uniform_matches_exact_transport():
    """The error of both quadratures is O(1 / num)."""
    for seed in range(4):
        x = jax.random.beta(jax.random.key(seed), 2.0, 5.0, (N,))
        uniform = (jnp.arange(4096) + 0.5) / 4096
        exact = circular_wasserstein(x, uniform)
        norm = jnp.linalg.norm(lcot_embedding(x, num=4096)) / 64
        np.testing.assert_allclose(norm, exact, atol=2 / 4096)
        np.testing.assert_allclose(lcot_distance(x, uniform, num=4096), exact, atol=2 / 4096)


@pytest.mark.full
def test_law_metric():
    """Symmetric, triangle inequality, zero on equal measures; at most half a turn, at least circular transport."""

    def law(key):
        k1, k2 = jax.random.split(key)
        x, y, z = jax.random.uniform(k1, (3, N))
        turn = jax.random.randint(k2, (), 0, NUM) / NUM
        d = lambda u, v: lcot_distance(u, v, num=NUM)
        radians = lcot_distance(2 * jnp.pi * x, 2 * jnp.pi * y, num=NUM, period=2 * jnp.pi)
        return jnp.stack(
            [
                jnp.abs(d(x, y) - d(y, x)),
                d(x, z) - d(x, y) - d(y, z),
                d(x, x[::-1]),
                jnp.abs(radians / (2 * jnp.pi) - d(x, y)),
                circular_wasserstein(x, y) - d(x, y) - 2 / NUM,
                jnp.abs(d(x + turn, y + turn) - d(x, y)),
            ]
        )

    worst = jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 64)), axis=0)
    np.testing.assert_array_less(worst[:5], 1e-10)
    assert worst[5] < 2 / NUM  # a rotation moves the places, no more than a step of quadrature


def test_law_inverse_gives_the_points_back():
    x = np.random.default_rng(1).uniform(size=(64, N))
    back = jax.jit(jax.vmap(lambda x: lcot_inverse(lcot_embedding(x, num=N))))(x)
    assert np.max(np.abs(np.sort(back) - np.sort(x))) < 1e-12


def test_barycenter_matches_a_search_at_each_place():
    weights = np.asarray([0.1, 0.3, 0.2, 0.25, 0.15])

    @jax.jit
    def embed(xs):
        embeddings = jax.vmap(lambda x: lcot_embedding(x, num=8))(xs)
        return embeddings, lcot_barycenter(embeddings, weights)

    embeddings, mean = map(np.asarray, embed(np.random.default_rng(2).uniform(size=(5, N))))

    def spread(e, column):
        gap = np.abs(e - column) % 1
        return weights @ np.minimum(gap, 1 - gap) ** 2

    for place, column in zip(mean, embeddings.T):
        search = [
            minimize_scalar(spread, bounds=(a, a + 0.1), args=(column,), method="bounded").fun
            for a in np.arange(-1, 1, 0.1)
        ]
        np.testing.assert_allclose(spread(place, column), min(search), atol=1e-9)


@pytest.mark.full
def test_barycenter_of_turned_copies_lies_between_them():
    x = jax.random.beta(jax.random.key(3), 3.0, 3.0, (32,)) / 2
    ends = jnp.stack([x + 0.9, x + 1.1])
    mean = lcot_barycenter(jax.vmap(lambda u: lcot_embedding(u, num=32))(ends))
    assert circular_wasserstein(lcot_inverse(mean), x) < 1 / 32


@pytest.mark.full
def test_gradient_matches_finite_differences():
    x, y = jax.random.uniform(jax.random.key(4), (2, N))
    value = jax.jit(lambda x, y, period: lcot_distance(x, y, num=NUM, period=period))
    u, v = jax.random.normal(jax.random.key(5), (2, N))
    gx, gy, gl = jax.grad(value, (0, 1, 2))(x, y, 1.0)
    h = 1e-7
    slope = (value(x + h * u, y + h * v, 1 + h) - value(x - h * u, y - h * v, 1 - h)) / (2 * h)
    np.testing.assert_allclose(gx @ u + gy @ v + gl, slope, rtol=1e-5)
    assert jnp.all(jnp.isfinite(jax.grad(value)(x, x, 1.0)))


def test_bad_input():
    x = np.random.default_rng(6).uniform(size=N)
    broken = np.append(np.nan, x[1:])

    @jax.jit
    def of_bad(x, broken):
        weights = jnp.asarray([2.0, -1.0])
        return (
            lcot_embedding(broken, num=4),
            lcot_distance(x, x, num=4, period=-1.0),
            lcot_barycenter(jnp.zeros((2, 3)), weights),
        )

    for result in of_bad(x, broken):
        assert np.all(np.isnan(result))
    with pytest.raises(ValueError, match="num is 0"):
        lcot_embedding(x, num=0)
    with pytest.raises(ValueError, match="no rows"):
        lcot_barycenter(np.zeros((0, 4)))
    with pytest.raises(ValueError, match=r"weights has shape \[3\]"):
        lcot_barycenter(np.zeros((2, 4)), np.ones(3))
