"""Transport on the circle against POT, brute-force assignment and a linear program."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from scipy.optimize import linear_sum_assignment

from geojax.transport import circular_wasserstein, wasserstein_1d

N, M = 7, 5


def points(seed, n=N, m=M):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=n), rng.vonmises(0, 2, size=m) / (2 * np.pi)


def arc(x, y, period=1.0):
    d = np.abs(np.asarray(x)[:, None] - np.asarray(y)) % period
    return np.minimum(d, period - d)


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_matches_the_assignment(p):
    distance = jax.jit(lambda x, y: circular_wasserstein(x, y, p=p))
    for seed in range(8):
        x, y = points(seed, N, N)
        cost = arc(x, y) ** p
        rows, columns = linear_sum_assignment(cost)
        np.testing.assert_allclose(distance(x, y) ** p, cost[rows, columns].mean(), rtol=1e-9)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_matches_the_linear_program_for_unequal_sizes(p):
    distance = jax.jit(lambda x, y: circular_wasserstein(x, y, p=p))
    for seed in range(8):
        x, y = points(seed)
        want = ot.emd2([], [], arc(x, y) ** p)
        np.testing.assert_allclose(distance(x, y) ** p, want, rtol=1e-9)


def weighted(seed, n=N, m=M):
    """Points and weights; by turns plain, uniform, with weights of zero, and with tied points."""
    rng = np.random.default_rng(seed)
    (x, y), a, b = points(seed, n, m), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    kind = seed % 4
    if kind == 1:
        a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    if kind == 2:
        a[:2] = 0
    if kind == 3:
        x[1:3], y = x[0], np.round(y, 1)
    return x, y, a / a.sum(), b


@pytest.mark.parametrize("p", [2, *(pytest.param(p, marks=pytest.mark.full) for p in (1, 3.5))])
@pytest.mark.parametrize(
    "dtype, rtol", [(np.float64, 1e-9), pytest.param(np.float32, 2e-5, marks=pytest.mark.full)]
)
def test_weights_match_the_linear_program(p, dtype, rtol):
    """The float32 tolerance is some ulp of the shift, times the length of the circle over the distance."""
    distance = jax.jit(lambda x, y, a, b: circular_wasserstein(x, y, a, b, p=p))
    for seed in range(12):
        x, y, a, b = weighted(seed)
        want = ot.emd2(a, b, arc(x, y) ** p)
        got = distance(*(v.astype(dtype) for v in (x, y, a, b)))
        assert got.dtype == dtype
        np.testing.assert_allclose(got**p, want, rtol=rtol, atol=rtol)


@pytest.mark.full
def test_gradient_in_the_weights_matches_finite_differences():
    data = weighted(4)
    rng = np.random.default_rng(1)
    moves = [rng.normal(size=v.shape) for v in data]
    moves = [v - v.mean() if i > 1 else v for i, v in enumerate(moves)]
    value = jax.jit(circular_wasserstein)
    slopes = jax.jit(jax.grad(circular_wasserstein, (0, 1, 2, 3)))(*data)
    h = 1e-6
    ahead, behind = (value(*(v + s * h * d for v, d in zip(data, moves))) for s in (1, -1))
    np.testing.assert_allclose(
        sum(np.vdot(g, d) for g, d in zip(slopes, moves)), (ahead - behind) / (2 * h), rtol=1e-5
    )


def test_bad_weights_are_nan():
    x, y, a, b = weighted(0)
    distance = jax.jit(circular_wasserstein)
    assert np.isfinite(distance(x, y, a, b))
    assert np.isnan(distance(x, y, a, 1.1 * b))
    assert np.isnan(distance(x, y, a - 0.2, b - 0.2 * N / M))
    with pytest.raises(ValueError, match=r"a has shape|shape \[3\]"):
        circular_wasserstein(x, y, a[:3], b)


@pytest.mark.full
def test_sizes_without_a_small_common_multiple():
    x = 0.1 * np.random.default_rng(0).uniform(size=40_000)
    moved = np.append(x, 0.05) + 0.25
    got = circular_wasserstein(x, moved, p=1)
    np.testing.assert_allclose(got, 0.25, atol=1e-4)


@pytest.mark.parametrize("p", [1, 2])
def test_matches_pot(p):
    x, y = points(20, 60, 40)
    want = ot.wasserstein_circle(x % 1, y % 1, p=p)
    distance = jax.jit(lambda x, y: circular_wasserstein(x, y, p=p))
    np.testing.assert_allclose(distance(x, y) ** p, want, rtol=1e-6)


@pytest.mark.full
def test_law_metric():
    """A metric; rotations of both measures change nothing; the line is no shorter."""

    def law(key):
        k1, k2, k3 = jax.random.split(key, 3)
        x, y, z = jax.random.uniform(k1, (3, N))
        p = 1 + 3 * jax.random.uniform(k2)
        turn = 5 * jax.random.normal(k3)
        d = lambda u, v: circular_wasserstein(u, v, p=p)
        radians = circular_wasserstein(2 * jnp.pi * x, 2 * jnp.pi * y, p=p, period=2 * jnp.pi)
        return jnp.stack(
            [
                jnp.abs(d(x, y) - d(y, x)),
                d(x, x[::-1]),
                d(x, z) - d(x, y) - d(y, z),
                jnp.abs(d(x + turn, y + turn) - d(x, y)),
                jnp.abs(radians / (2 * jnp.pi) - d(x, y)),
                d(x, y) - wasserstein_1d(x, y, p=p),
            ]
        )

    assert jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 64))) < 1e-12


def test_diracs_are_an_arc_apart():
    distance = jax.jit(circular_wasserstein)
    for a, b, d in [(0.1, 0.4, 0.3), (0.05, 0.95, 0.1), (0.0, 0.5, 0.5), (-0.1, 1.2, 0.3)]:
        np.testing.assert_allclose(distance(np.array([a]), np.array([b])), d, atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("m", [M, N])
def test_gradient_matches_finite_differences(m):
    x, y = points(3, N, m)
    value = jax.jit(lambda x, y, period: circular_wasserstein(x, y, period=period))
    rng = np.random.default_rng(1)
    u, v = rng.normal(size=N), rng.normal(size=m)
    gx, gy, gl = jax.grad(value, (0, 1, 2))(x, y, 1.0)
    h = 1e-7
    slope = (value(x + h * u, y + h * v, 1 + h) - value(x - h * u, y - h * v, 1 - h)) / (2 * h)
    np.testing.assert_allclose(gx @ u + gy @ v + gl, slope, rtol=1e-5)


@pytest.mark.full
def test_gradient_is_finite_between_equal_measures():
    x, _ = points(4)
    for p in (1, 2, 1.5):
        g = jax.grad(lambda x, y, p=p: circular_wasserstein(x, y, p=p), (0, 1))(x, x)
        assert all(jnp.all(jnp.isfinite(v)) for v in g)


def test_bad_input():
    x, y = points(5)
    distance = jax.jit(lambda x, y, p, period: circular_wasserstein(x, y, p=p, period=period))
    for bad in (
        (np.append(np.nan, x[1:]), y, 2.0, 1.0),
        (x, np.append(np.inf, y[1:]), 2.0, 1.0),
        (x, y, 0.5, 1.0),
        (x, y, 2.0, -1.0),
        (x, y, 2.0, np.nan),
    ):
        assert np.isnan(distance(*bad))
    with pytest.raises(ValueError, match=r"x has shape \[0\]"):
        circular_wasserstein(x[:0], y)
