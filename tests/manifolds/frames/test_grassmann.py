"""Subspaces: the laws, invariance to the frame, principal angles from scipy and mpmath, awkward points."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import Grassmann, Sphere
from tests.manifolds import laws

GRASSMANN, SHAPE = Grassmann(), (5, 2)


def apart(angles, dtype=float):
    """Two planes of R^5 at given principal angles, and the tangent from one to the other."""
    x, u = np.eye(*SHAPE), np.zeros(SHAPE)
    u[2, 0], u[3, 1] = angles
    y = x * np.cos(angles) + np.sign(u) * np.sin(np.abs(angles))
    return tuple(jnp.asarray(a, dtype) for a in (x, y, u))


def test_law_manifold():
    laws.check_laws(GRASSMANN, SHAPE, radius=1.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(GRASSMANN, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        grid = {"x = y": apart((0, 0), dtype)}
        for gap in (0, 1e-12, 1e-8, 1e-6, 1e-3):
            grid[f"gap {gap}"] = apart((0.7, 0.7 + gap), dtype)
            grid[f"angles {gap}"] = apart((gap, 2 * gap), dtype)
        return grid | {"a right angle": apart((np.pi / 2, 1), dtype), "both": apart((np.pi / 2,) * 2, dtype)}

    laws.check_finite(GRASSMANN, points, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath_at_small_and_large_angles(dtype, rtol):
    """Against the angles between the spans of the very numbers in memory, computed with 50 digits."""
    for angle in (*(10.0**-k for k in range(1, 9)), 1.5, np.pi / 2 - 1e-3):
        rng = np.random.default_rng(0)
        turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
        x, y, _ = (np.asarray(turn @ np.asarray(a)) for a in apart((angle, 0.5 * angle)))
        x, y = x.astype(dtype), y.astype(dtype)
        with mpmath.workdps(50):

            def span(a):
                a = mpmath.matrix(a.astype(float).tolist())
                return a * mpmath.cholesky((a.T * a) ** -1)

            exact_x, exact_y = span(x), span(y)
            across = exact_y - exact_x * (exact_x.T * exact_y)
            sines = [mpmath.sqrt(v) for v in mpmath.eigsy(across.T * across, eigvals_only=True)]
            want = float(mpmath.sqrt(sum(mpmath.asin(s) ** 2 for s in sines)))
        # Frames are orthonormal to rounding only, and what their angle owes to that is not the formula's error.
        rounding = 4 * float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(GRASSMANN.dist(x, y), want, rtol=rtol, atol=rounding * 0.1)
        np.testing.assert_allclose(
            GRASSMANN.norm(x, GRASSMANN.log(x, y)), want, rtol=rtol, atol=rounding * 0.1
        )


def test_small_angles_keep_their_digits():
    for dtype, rtol in ((jnp.float64, 1e-13), (jnp.float32, 1e-6)):
        for angle in (1e-8, 1e-5, 1e-3, 0.1):
            x, y, u = apart((angle, 2 * angle), dtype)
            want = np.sqrt(5) * angle
            np.testing.assert_allclose(GRASSMANN.dist(x, y), want, rtol=rtol)
            np.testing.assert_allclose(GRASSMANN.log(x, y), u, rtol=10 * rtol)
            np.testing.assert_allclose(jnp.linalg.norm(jax.grad(GRASSMANN.dist, 1)(x, y)), 1, rtol=10 * rtol)


def test_matches_scipy_subspace_angles():
    x, y = (GRASSMANN.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    angles = scipy.linalg.subspace_angles(np.asarray(x), np.asarray(y))
    np.testing.assert_allclose(GRASSMANN.dist(x, y), np.linalg.norm(angles), rtol=1e-13)


def test_matches_geomstats_and_pymanopt():
    """The projector onto the endpoint of a geodesic, as geomstats 2.8.0 and pymanopt 2.2.1 print it; they agree."""
    u = jnp.zeros(SHAPE).at[2:].set(jnp.asarray([[0.3, -0.1], [0.2, 0.4], [-0.5, 0.1]]))
    y = GRASSMANN.exp(jnp.eye(*SHAPE), u)
    rows = [
        [0.66575967, 0.0, 0.22957132, 0.15304754, -0.38261886],
        [0.0, 0.83054411, -0.08842467, 0.35369867, 0.08842467],
        [0.22957132, -0.08842467, 0.0885764, 0.01511792, -0.14135119],
        [0.15304754, 0.35369867, 0.01511792, 0.18581065, -0.05030112],
        [-0.38261886, 0.08842467, -0.14135119, -0.05030112, 0.22930917],
    ]
    np.testing.assert_allclose(y @ y.T, rows, atol=1e-8)
    np.testing.assert_allclose(GRASSMANN.dist(jnp.eye(*SHAPE), y), 0.7483314773547879, rtol=1e-14)
    np.testing.assert_allclose(GRASSMANN.log(jnp.eye(*SHAPE), y), u, atol=1e-14)


def test_law_nothing_depends_on_the_frame():
    x, y = (GRASSMANN.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
    turn = jnp.asarray([[0.6, -0.8], [0.8, 0.6]]) @ jnp.diag(jnp.asarray([1.0, -1.0]))
    np.testing.assert_allclose(GRASSMANN.log(x, y @ turn), GRASSMANN.log(x, y), atol=1e-13)
    np.testing.assert_allclose(GRASSMANN.log(x @ turn, y), GRASSMANN.log(x, y) @ turn, atol=1e-13)
    u = GRASSMANN.random_tangent(jax.random.key(2), x)
    moved = GRASSMANN.parallel_transport(x, y, u)
    np.testing.assert_allclose(GRASSMANN.parallel_transport(x, y @ turn, u), moved @ turn, atol=1e-13)
    np.testing.assert_allclose(GRASSMANN.parallel_transport(x @ turn, y, u @ turn), moved, atol=1e-13)


def test_a_right_angle_has_no_unique_log():
    x, y, u = apart((np.pi / 2, 1.0))
    result = GRASSMANN.log_with_info(x, y)
    assert not result.unique and GRASSMANN.log_with_info(x, x).unique
    np.testing.assert_allclose(GRASSMANN.norm(x, result.tangent), jnp.linalg.norm(u), rtol=1e-12)
    assert GRASSMANN.dist(GRASSMANN.exp(x, result.tangent), y) < 1e-12


def test_curvature_of_lines_is_one_and_of_planes_at_most_two():
    line = Sphere().random_point(jax.random.key(0), (4,))[:, None]
    u, v = (GRASSMANN.random_tangent(jax.random.key(k), line) for k in (1, 2))
    np.testing.assert_allclose(GRASSMANN.sectional_curvature(line, u, v), 1, rtol=1e-12)
    x = jnp.eye(4)[:, :2]
    e = jnp.eye(2)
    u, v = (jnp.concatenate([jnp.zeros((2, 2)), a]) for a in (e, jnp.asarray([[0.0, -1.0], [1.0, 0.0]])))
    np.testing.assert_allclose(GRASSMANN.sectional_curvature(x, u, v), 2, rtol=1e-12)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Grassmann.dist: x has shape \[2, 3\].*Transpose x"):
        GRASSMANN.dist(jnp.ones((2, 3)), jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"off the tangent space.*to_tangent"):
        GRASSMANN.check_tangent(jnp.eye(3, 2), jnp.eye(3, 2))
    assert jnp.all(jnp.isnan(GRASSMANN.project(jnp.ones(SHAPE))))
    assert jnp.isnan(GRASSMANN.dist(jnp.eye(3, 2), jnp.full((3, 2), jnp.nan)))
