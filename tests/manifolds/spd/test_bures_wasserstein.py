"""Bures-Wasserstein geometry, plain and generalised: laws, awkward points, 50 digits, transport's distance."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import SPDBuresWasserstein, frechet_mean
from geojax.transport import gaussian_wasserstein
from tests.manifolds import laws
from tests.manifolds.spd_points import OTHER, ROTATION, N, awkward, precise, spd

SHAPE = (N, N)
METRIC = spd([0.7, 1.2, 2.5], rotation=OTHER)
PLAIN, GENERAL = SPDBuresWasserstein(), SPDBuresWasserstein(metric=METRIC)


def test_law_manifold():
    # Parallel transport has a closed form between commuting matrices only.
    laws.check_laws(GENERAL, SHAPE, radius=0.1, without=("parallel transport",))


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(GENERAL, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    laws.check_finite(PLAIN, awkward, dtype, order, operations=("exp", "log", "dist", "squared_dist"))


def test_matches_gaussian_wasserstein():
    """With equal means, and with the metric matrix as a change of coordinates."""
    x, y, mean = spd([0.5, 1.0, 2.0]), spd([0.7, 1.1, 1.9], rotation=OTHER), jnp.ones(N)
    np.testing.assert_allclose(PLAIN.squared_dist(x, y), gaussian_wasserstein(mean, x, mean, y), rtol=1e-12)
    inverse = np.linalg.inv(METRIC)
    product = scipy.linalg.sqrtm(np.asarray(x @ inverse @ y @ inverse))
    want = np.trace(inverse @ x) + np.trace(inverse @ y) - 2 * np.trace(product)
    np.testing.assert_allclose(GENERAL.squared_dist(x, y), want, rtol=1e-12)
    for identity in (jnp.eye(N), jnp.eye(N, dtype=jnp.float32)):
        same = SPDBuresWasserstein(metric=identity)
        np.testing.assert_allclose(same.squared_dist(x, y), PLAIN.squared_dist(x, y), rtol=1e-13)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath(dtype, rtol):
    wide = jnp.asarray([1e-6, 1.0, 1e6], dtype)
    tiny = jnp.asarray(1e-12, dtype) * jnp.eye(N, dtype=dtype)
    pairs = {
        "diagonal": (jnp.diag(wide), jnp.diag(wide[jnp.asarray([2, 0, 1])])),
        "tiny": (tiny, 2 * tiny),
        "full": (spd([0.5, 1.0, 2.0], dtype), spd([0.3, 2.1, 3.9], dtype, OTHER)),
    }
    for name, (x, y) in pairs.items():
        with mpmath.workdps(50):
            lower = mpmath.cholesky(precise(x))
            values = mpmath.eigsy(lower.T * precise(y) * lower, eigvals_only=True)
            fidelity = sum(mpmath.sqrt(value) for value in values)
            traces = sum(precise(x)[i, i] + precise(y)[i, i] for i in range(N))
            want = float(mpmath.sqrt(traces - 2 * fidelity))
        np.testing.assert_allclose(float(PLAIN.dist(x, y)), want, rtol=4 * rtol, err_msg=name)


def test_commuting_matrices():
    """Their distance is that of the square roots; transport between them is isometric and carries velocities."""
    x, y = spd([0.5, 1.0, 2.0]), spd([0.6, 0.9, 2.5])
    roots = (ROTATION * (np.sqrt([0.5, 1, 2]) - np.sqrt([0.6, 0.9, 2.5]))) @ ROTATION.T
    np.testing.assert_allclose(PLAIN.dist(x, y), np.linalg.norm(roots), rtol=1e-12)
    u, v = (PLAIN.random_tangent(jax.random.key(k), x) for k in (1, 2))
    carried = [PLAIN.parallel_transport(x, y, w) for w in (u, v)]
    np.testing.assert_allclose(PLAIN.inner(y, *carried), PLAIN.inner(x, u, v), rtol=1e-12)
    velocity = PLAIN.parallel_transport(x, y, PLAIN.log(x, y))
    np.testing.assert_allclose(velocity, -PLAIN.log(y, x), atol=1e-12)
    assert jnp.all(jnp.isnan(PLAIN.parallel_transport(x, spd([0.7, 1.1, 1.9], rotation=OTHER), u)))
    # With a metric matrix, multiples of it commute with everything.
    there = GENERAL.parallel_transport(x, 2 * METRIC, u)
    np.testing.assert_allclose(GENERAL.norm(2 * METRIC, there), GENERAL.norm(x, u), rtol=1e-12)


def test_transport_between_commuting_matrices_matches_the_connection():
    """Along a geodesic of commuting matrices, the covariant derivative of what is transported is zero.

    The connection comes from the metric alone: second differences of the squared distance give its Christoffel symbols
    through the exponential, exp_x(u) = x + u - Gamma(u, u) / 2 + ..., with Gamma(u, u) = -2 s x s.
    """
    x, y = spd([0.5, 1.0, 2.0]), spd([0.6, 0.9, 2.5])
    u = PLAIN.random_tangent(jax.random.key(1), x)

    def at(t):
        point = PLAIN.geodesic(x, y, t)
        return point, PLAIN.parallel_transport(x, point, u)

    (point, field), (velocity, change) = jax.jvp(at, (0.4,), (1.0,))

    def spray(w):
        return jax.jvp(
            lambda t: jax.jvp(lambda s: PLAIN.retract(point, s * w), (t,), (1.0,))[1], (0.0,), (1.0,)
        )[1]

    mixed = (spray(velocity + field) - spray(velocity - field)) / 4
    np.testing.assert_allclose(change, mixed, atol=1e-10)


def test_exp_ends_at_singular_matrices():
    u = -2 * jnp.eye(N)
    assert jnp.all(jnp.isfinite(PLAIN.exp(jnp.eye(N), 0.99 * u)))
    assert jnp.all(jnp.isnan(PLAIN.exp(jnp.eye(N), 1.01 * u)))
    assert jnp.all(jnp.isfinite(PLAIN.retract(jnp.eye(N), 1.01 * u)))


def test_curvature_matches_distances():
    x = spd([0.5, 1.0, 2.0])
    u, v = (PLAIN.random_tangent(jax.random.key(k), x) for k in (1, 2))
    area = PLAIN.inner(x, u, u) * PLAIN.inner(x, v, v) - PLAIN.inner(x, u, v) ** 2

    def excess(t):
        flat = t**2 * PLAIN.inner(x, u - v, u - v)
        return 3 * (flat - PLAIN.squared_dist(PLAIN.exp(x, t * u), PLAIN.exp(x, t * v))) / (t**4 * area)

    t = 0.02
    curvature = PLAIN.sectional_curvature(x, u, v)
    assert curvature > 0
    np.testing.assert_allclose((4 * excess(t) - excess(2 * t)) / 3, curvature, rtol=2e-3)


def test_learnable_metric_compiles_once_and_has_a_gradient():
    x, y = spd([0.5, 1.0, 2.0]), spd([0.7, 1.1, 1.9], rotation=OTHER)
    traces = []

    @jax.jit
    def squared(metric):
        traces.append(None)
        return SPDBuresWasserstein(metric=metric).squared_dist(x, y)

    step, e = 1e-5, spd([-1.0, 0.3, 0.8], rotation=ROTATION)
    quotient = (squared(METRIC + step * e) - squared(METRIC - step * e)) / (2 * step)
    assert len(traces) == 1
    np.testing.assert_allclose(jnp.vdot(jax.grad(squared)(METRIC), e), quotient, rtol=1e-8)


def test_mean_matches_pyriemann():
    """Numbers printed by pyriemann 0.12, mean_wasserstein(points, tol=1e-13, maxiter=500)."""
    points = jnp.asarray([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 3.0]], [[0.5, 0.2], [0.2, 0.7]]])
    want = [[1.059035218481, 0.180906544224], [0.180906544224, 1.399461259691]]
    np.testing.assert_allclose(frechet_mean(PLAIN, points, tol=1e-10).point, want, rtol=1e-6)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"SPDBuresWasserstein.dist: metric has shape \[3, 3\]"):
        GENERAL.dist(jnp.eye(2), jnp.eye(2))
    indefinite = jnp.diag(jnp.asarray([1.0, -0.5, 1.0]))
    assert jnp.isnan(PLAIN.dist(jnp.eye(3), indefinite))
    assert jnp.isnan(SPDBuresWasserstein(metric=indefinite).dist(jnp.eye(3), jnp.eye(3)))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_singular_matrices_are_nan_or_right_to_the_root_of_an_ulp(dtype):
    """As the docstring says: they are no points, but rounding may have made them definite."""
    squared_dist = jax.jit(SPDBuresWasserstein().squared_dist)
    for seed in range(20):
        x, y = np.random.default_rng(seed).normal(size=(2, 3, 1 + seed % 2))
        a, b = ((z @ z.T).astype(dtype) for z in (x, y))
        nuclear = np.sum(np.linalg.svd(x.T @ y, compute_uv=False))
        for p, q, want in ((a, b, np.sum(x**2) + np.sum(y**2) - 2 * nuclear), (a, a, 0)):
            got = squared_dist(p, q)
            size = np.trace(p) + np.trace(q)
            assert np.isnan(got) or abs(got - want) <= 4 * np.finfo(dtype).eps ** 0.5 * size
