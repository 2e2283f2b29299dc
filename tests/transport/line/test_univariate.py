"""Transport on the line against scipy, POT and brute force, and the laws of a distance."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
import scipy.stats
from scipy.optimize import linear_sum_assignment

from geojax.transport import wasserstein_1d

N, M = 7, 5


def problem(seed, n=N, m=M):
    rng = np.random.default_rng(seed)
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    return rng.normal(size=n), rng.normal(size=m) + 0.3, a, b


distance = jax.jit(wasserstein_1d, static_argnames="p")


@pytest.mark.parametrize("seed", range(3))
def test_matches_scipy(seed):
    x, y, a, b = problem(seed)
    np.testing.assert_allclose(
        distance(x, y, a, b, p=1), scipy.stats.wasserstein_distance(x, y, a, b), rtol=1e-12
    )
    np.testing.assert_allclose(distance(x, y, p=1), scipy.stats.wasserstein_distance(x, y), rtol=1e-12)


@pytest.mark.parametrize(
    "p",
    [
        2,
        pytest.param(1, marks=pytest.mark.full),
        pytest.param(3, marks=pytest.mark.full),
        pytest.param(1.5, marks=pytest.mark.full),
    ],
)
def test_matches_pot(p):
    x, y, a, b = problem(3)
    np.testing.assert_allclose(distance(x, y, a, b, p=p) ** p, ot.wasserstein_1d(x, y, a, b, p=p))
    a = np.where(np.arange(N) < 2, 0, a)
    a /= a.sum()
    np.testing.assert_allclose(distance(x, y, a, b, p=p) ** p, ot.wasserstein_1d(x, y, a, b, p=p))


@pytest.mark.parametrize("p", [1, 2, 2.5])
def test_matches_the_assignment(p):
    x, y, _, _ = problem(4, N, N)
    cost = np.abs(x[:, None] - y) ** p
    rows, columns = linear_sum_assignment(cost)
    np.testing.assert_allclose(distance(x, y, p=p) ** p, cost[rows, columns].mean())


@pytest.mark.full
def test_law_metric():
    """Symmetric, triangle inequality, zero on equal measures, equivariant under x -> s x + t, increasing in p."""

    def law(key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        x, y, z = jax.random.normal(k1, (3, N))
        a, b, c = jax.random.dirichlet(k2, jnp.ones(N), (3,))
        p = 1 + 3 * jax.random.uniform(k3)
        order = jax.random.permutation(k4, N)
        d = lambda *arguments: wasserstein_1d(*arguments, p=p)
        return jnp.stack(
            [
                jnp.abs(d(x, y, a, b) - d(y, x, b, a)),
                d(x, z, a, c) - d(x, y, a, b) - d(y, z, b, c),
                d(x, x[order], a, a[order]),
                jnp.abs(d(1 - 2 * x, 1 - 2 * y, a, b) - 2 * d(x, y, a, b)),
                d(x, y, a, b) - wasserstein_1d(x, y, a, b, p=p + 1),
            ]
        )

    assert jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(0), 64))) <= 1e-10


def test_equal_weights_given_or_not():
    x, y, _, _ = problem(5)
    full = distance(x, y, np.full(N, 1 / N), np.full(M, 1 / M))
    np.testing.assert_allclose(distance(x, y), full, rtol=1e-12)
    np.testing.assert_allclose(distance(x, y, np.full(N, 1 / N)), full, rtol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("p", [1, 2, 3, 1.5])
def test_gradient_is_finite_between_equal_measures(p):
    x, _, a, _ = problem(6)
    for arguments in [(x, x), (x, x, a, a), (np.zeros(N), np.zeros(N))]:
        gradient = jax.grad(lambda *args: wasserstein_1d(*args, p=p), argnums=range(len(arguments)))
        assert all(jnp.all(jnp.isfinite(g)) for g in gradient(*map(jnp.asarray, arguments)))
    assert wasserstein_1d(x, x, p=p) == 0


@pytest.mark.full
@pytest.mark.parametrize("p", [1, 2, 1.5])
def test_gradient_matches_finite_differences(p):
    x, y, a, b = (jnp.asarray(v) for v in problem(7))
    rng = np.random.default_rng(8)
    tangents = [rng.normal(size=v.shape) for v in (x, y, a, b)]
    tangents[2:] = [a * (t - a @ t) for a, t in zip((a, b), tangents[2:])]
    value = jax.jit(lambda *args: wasserstein_1d(*args, p=p))
    _, slope = jax.jvp(value, (x, y, a, b), tuple(map(jnp.asarray, tangents)))
    gradient = jax.grad(value, argnums=range(4))(x, y, a, b)
    h = 1e-6
    ahead, back = (value(*(v + s * h * t for v, t in zip((x, y, a, b), tangents))) for s in (1, -1))
    np.testing.assert_allclose(slope, (ahead - back) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(sum(map(jnp.vdot, gradient, tangents)), slope, rtol=1e-10)


def test_extreme_units_neither_overflow_nor_vanish():
    x, y, _, _ = problem(9)
    want = float(distance(x, y, p=4))
    for scale in (1e-30, 1e30):
        got = distance((scale * x).astype(np.float32), (scale * y).astype(np.float32), p=4)
        np.testing.assert_allclose(got / scale, want, rtol=1e-5)


def test_values_outside_the_domain_are_nan():
    x, y, a, b = problem(10)

    def with_first(array, value):
        return np.append(value, array[1:])

    for bad in [
        distance(with_first(x, np.nan), y),
        distance(with_first(x, np.inf), y),
        distance(x, y, with_first(a, a[0] - 1), b),
        distance(x, y, 2 * a, b),
        distance(x, y, 0 * a, 0 * b),
        distance(x, y, with_first(a, np.nan), b),
        distance(x, y, p=0.5),
        distance(with_first(x, np.nan), y, with_first(a, 0) / (1 - a[0]), b),
    ]:
        assert np.isnan(bad)


def test_errors_say_how_to_mend_the_call():
    x, y, a, _ = problem(11)
    with pytest.raises(ValueError, match=r"x has shape \[7, 1\].*vmap"):
        wasserstein_1d(x[:, None], y)
    with pytest.raises(ValueError, match=r"y has shape \[0\].*at least one"):
        wasserstein_1d(x, y[:0])
    with pytest.raises(ValueError, match=r"b has shape \[7\].*m = 5"):
        wasserstein_1d(x, y, a, a)
    with pytest.raises(TypeError, match="complex"):
        wasserstein_1d(x + 0j, y)


def test_distance_is_nan_for_float32_weights_beside_float64_ones():
    """Each is valid to its own rounding."""
    x = np.arange(5.0)
    a = np.full(5, 0.2, np.float32)
    for weights in ((a, np.full(5, 0.2)), (a,), (a, a), (np.full(5, 0.2), a)):
        np.testing.assert_allclose(distance(x, x + 1, *weights), 1, rtol=1e-6)
    assert np.isnan(distance(x, x + 1, a, np.full(5, 0.201)))
