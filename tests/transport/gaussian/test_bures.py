"""Gaussian transport against scipy, ott and closed forms, where it is smooth and where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from ott.math import matrix_square_root

from geojax.transport import bures_wasserstein, gaussian_wasserstein

D = 4


def covariance(key, d=D, dtype=float):
    factor = jax.random.normal(key, (d, d + 2), dtype)
    return factor @ factor.T


def numpy_covariance(seed, dtype=float):
    factor = np.random.default_rng(seed).normal(size=(D, D + 2))
    return (factor @ factor.T).astype(dtype)


def pair(seed):
    return numpy_covariance((seed, 0)), numpy_covariance((seed, 1))


bures = jax.jit(bures_wasserstein)


def by_scipy(a, b):
    root = scipy.linalg.sqrtm(np.asarray(a, float)).real
    return (
        np.trace(a) + np.trace(b) - 2 * np.trace(scipy.linalg.sqrtm(root @ np.asarray(b, float) @ root).real)
    )


@pytest.mark.parametrize(
    "dtype, rtol", [(np.float64, 1e-12), pytest.param(np.float32, 1e-5, marks=pytest.mark.full)]
)
def test_matches_scipy(dtype, rtol):
    for seed in range(3):
        a, b = (x.astype(dtype) for x in pair(seed))
        got = bures(a, b)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, by_scipy(a, b), rtol=rtol, atol=rtol * float(np.trace(a)))


def test_matches_ott():
    """The Bures formula with ott's square root, run to convergence (its own Bures cost stops it early)."""

    def sqrtm(matrix):
        return matrix_square_root.sqrtm(matrix, 1e-12, 0, 1, 200)[0]

    (m1, m2), (a, b) = np.random.default_rng(1).normal(size=(2, D)), pair(1)

    @jax.jit
    def both(m1, a, m2, b):
        root = sqrtm(a)
        want = jnp.sum((m1 - m2) ** 2) + jnp.trace(a + b - 2 * sqrtm(root @ b @ root))
        return gaussian_wasserstein(m1, a, m2, b), want

    got, want = both(m1, a, m2, b)
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.full
def test_law_squared_distance():
    """Symmetric, triangle inequality of the root, invariant to rigid motion, and its closed form where they commute."""

    def law(key):
        keys = jax.random.split(key, 5)
        a, b, c = map(covariance, keys[:3])
        q = jnp.linalg.qr(jax.random.normal(keys[3], (D, D)))[0]
        m, n, s, t = jax.random.normal(keys[4], (4, D))
        ab, bc, ac = bures_wasserstein(a, b), bures_wasserstein(b, c), bures_wasserstein(a, c)
        commuting = gaussian_wasserstein(m, (q * s**2) @ q.T, n, (q * t**2) @ q.T)
        moved = gaussian_wasserstein(q @ m + 1, q @ a @ q.T, q @ n + 1, q @ b @ q.T)
        return jnp.stack(
            [
                jnp.abs(ab - bures_wasserstein(b, a)),
                jnp.sqrt(ac) - jnp.sqrt(ab) - jnp.sqrt(bc),
                jnp.abs(moved - gaussian_wasserstein(m, a, n, b)),
                jnp.abs(commuting - jnp.sum((m - n) ** 2) - jnp.sum((jnp.abs(s) - jnp.abs(t)) ** 2)),
                bures_wasserstein(a, a),
                jnp.abs(bures_wasserstein(9 * a, 9 * b) - 9 * ab),
            ]
        )

    assert jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(2), 64))) < 1e-10


def splat(mean, scales, quaternion):
    """Mean and covariance R diag(s^2) R^T of a Gaussian splat."""
    w, x, y, z = quaternion / jnp.linalg.norm(quaternion)
    rotation = jnp.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return mean, (rotation * scales**2) @ rotation.T, rotation


@pytest.mark.full
def test_law_splats_have_one_distance_however_they_are_written():
    def law(key):
        m1, s1, m2, s2 = jax.random.normal(jax.random.fold_in(key, 0), (4, 3))
        q1, q2 = jax.random.normal(jax.random.fold_in(key, 1), (2, 4))
        a, cov_a, rotation = splat(m1, s1, q1)
        b, cov_b, _ = splat(m2, s2, q2)
        flipped = splat(m1, s1, -q1)
        turn = rotation[:, jnp.array([1, 2, 0])]
        permuted = (turn * s1[jnp.array([1, 2, 0])] ** 2) @ turn.T
        zero = gaussian_wasserstein(a, cov_a, *flipped[:2]), gaussian_wasserstein(a, cov_a, a, permuted)
        other = gaussian_wasserstein(a, permuted, b, cov_b) - gaussian_wasserstein(a, cov_a, b, cov_b)
        return jnp.stack([*zero, jnp.abs(other)])

    assert jnp.max(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(3), 32))) < 1e-10


def test_gradient_is_the_identity_less_the_optimal_map():
    a, b = pair(4)
    ga, gb = map(np.asarray, jax.jit(jax.grad(bures_wasserstein, (0, 1)))(a, b))
    to_b, to_a = np.eye(D) - ga, np.eye(D) - gb
    np.testing.assert_allclose(to_b @ a @ to_b, b, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(to_a @ to_b, np.eye(D), atol=1e-9)


@pytest.mark.full
def test_second_derivative_matches_finite_differences():
    a, b = pair(5)
    u, v = (x / 10 for x in pair(6))
    slope = jax.jit(jax.grad(lambda t: bures_wasserstein(a + t * u, b + t * v)))
    for t in (0.0, 0.3):
        numeric = (slope(t + 1e-5) - slope(t - 1e-5)) / 2e-5
        np.testing.assert_allclose(jax.grad(slope)(t), numeric, rtol=1e-6)
    # Where the distance vanishes its second derivative is that of the metric, not zero.
    line = jax.grad(jax.grad(lambda t: bures_wasserstein(a + t * u, a)))
    lyapunov = scipy.linalg.solve_sylvester(np.asarray(a), np.asarray(a), np.asarray(u))
    np.testing.assert_allclose(line(0.0), 2 * np.trace(lyapunov @ a @ lyapunov), rtol=1e-8)


@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.full)])
def test_gradient_is_finite_at_degenerate_inputs(dtype):
    a = numpy_covariance(7, dtype)
    v = np.arange(1.0, D + 1, dtype=dtype)
    eye, line, zero = np.eye(D, dtype=dtype), np.outer(v, v), np.zeros((D, D), dtype)
    both = jax.jit(jax.value_and_grad(bures_wasserstein, (0, 1)))
    for s1, s2 in [
        (a, a),
        (eye, eye),
        (eye, 4 * eye),
        (line, line),
        (line, a),
        (eye, line),
        (zero, a),
        (zero, zero),
    ]:
        value, gradients = both(s1, s2)
        assert np.isfinite(value)
        assert all(np.all(np.isfinite(g)) for g in gradients)
    root_ulp = float(jnp.finfo(dtype).eps) ** 0.5
    # A line of variance v v^T is W_2^2 = v^2 + tr A - 2 sqrt(v^T A v) away.
    want = v @ v + np.trace(a) - 2 * np.sqrt(v @ a @ v)
    np.testing.assert_allclose(both(line, a)[0], want, rtol=20 * root_ulp)
    np.testing.assert_allclose(both(zero, a)[0], np.trace(a), rtol=1e-6)


def test_units_do_not_matter():
    a, b = pair(8)
    want = bures(a, b)
    for unit in (1e-25, 1e25):
        got = bures(*((unit * x).astype(np.float32) for x in (a, b)))
        np.testing.assert_allclose(got / unit, want, rtol=1e-4)


def test_ill_conditioned_matrices():
    """Commuting matrices of condition number 1e8: the closed form to a few ulp of the traces."""
    q = np.linalg.qr(numpy_covariance(9))[0]
    s, t = np.logspace(0, -4, D), np.logspace(-4, 0, D)
    got = bures((q * s**2) @ q.T, (q * t**2) @ q.T)
    np.testing.assert_allclose(got, np.sum((s - t) ** 2), rtol=1e-9)


def test_bad_input():
    a, b = pair(10)
    broken = a.copy()
    broken[0, 0] = np.nan
    for bad in (broken, -a, a - 20 * np.eye(D)):
        assert np.isnan(bures(bad, b))
        assert np.isnan(bures(b, bad))
    assert bures_wasserstein(a[:0, :0], b[:0, :0]) == 0
    with pytest.raises(ValueError, match=r"s2 has shape \[3, 3\].*d = 4"):
        bures_wasserstein(a, b[:3, :3])
    with pytest.raises(ValueError, match=r"m2 has shape \[3\]"):
        gaussian_wasserstein(np.zeros(4), a, np.zeros(3), b)


def nuclear(x, y):
    """B^2 of A = X X^T and B = Y Y^T from the factors, in float64: tr A + tr B - 2 |X^T Y|_*."""
    return np.sum(x**2) + np.sum(y**2) - 2 * np.sum(np.linalg.svd(x.T @ y, compute_uv=False))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_zeros_are_exact(dtype):
    """diag(1, 0) and diag(0, 1) are 2 apart; a ridge on the diagonal had cost half of the digits."""
    ulp = np.finfo(dtype).eps
    for s, t in (([1, 0], [0, 1]), ([1, 0], [1, 1]), ([1, 0], [1, 0]), ([4, 0], [0, 9]), ([0, 1], [4, 1])):
        want = sum((np.sqrt(s) - np.sqrt(t)) ** 2)
        got = bures(np.diag(np.asarray(s, dtype)), np.diag(np.asarray(t, dtype)))
        np.testing.assert_allclose(got, want, atol=50 * ulp * (sum(s) + sum(t)))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_of_every_rank_and_condition(dtype):
    """The nuclear norm of the factors, to the root of an ulp; bounds by the traces; zero to itself; finite slopes."""
    both = jax.jit(jax.value_and_grad(bures_wasserstein, (0, 1)))
    root_ulp = np.finfo(dtype).eps ** 0.5
    for d in (3, 6):
        for seed in range(12):
            rng = np.random.default_rng((d, seed))
            x, y = rng.normal(size=(2, d, d))
            if seed % 3 == 0:
                x = x[:, : rng.choice([1, 2, d - 1])]
                y = y[:, : rng.choice([1, 2, d - 1])]
            if seed % 3 == 1:
                turn = np.linalg.qr(x)[0]
                x = turn * np.logspace(0, -rng.uniform(0, 8), d)
            scale = 10.0 ** rng.uniform(-6, 6)
            a, b = ((scale * z @ z.T).astype(dtype) for z in (x, y))
            size = np.trace(a) + np.trace(b)
            value, slopes = both(a, b)
            np.testing.assert_allclose(value, scale * nuclear(x, y), atol=2 * root_ulp * size)
            assert 0 <= value <= size * (1 + 4 * d * np.finfo(dtype).eps)
            assert all(np.all(np.isfinite(g)) for g in slopes)
            value, slopes = both(a, a)
            assert 0 <= value <= 20 * d * np.finfo(dtype).eps * size
            assert all(np.all(np.isfinite(g)) for g in slopes)
