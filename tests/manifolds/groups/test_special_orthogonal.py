"""Rotations: the laws, scipy's exponential and logarithm, angles from tiny to pi, Haar moments, awkward points."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.transform import Rotation

from geojax.manifolds import SpecialOrthogonal
from geojax.manifolds.poses import so3_geodesic
from tests.manifolds import laws

ROTATIONS, SHAPE = SpecialOrthogonal(), (4, 4)


def turn(*angles, dtype=float):
    """A rotation of R^4 by two angles, and its logarithm."""
    log = np.zeros((4, 4))
    for plane, angle in enumerate(angles):
        log[2 * plane + 1, 2 * plane], log[2 * plane, 2 * plane + 1] = angle, -angle
    return np.asarray(scipy.linalg.expm(log), dtype), np.asarray(log, dtype)


@pytest.mark.parametrize("n", [pytest.param(2, marks=pytest.mark.full), 3, 4])
def test_law_manifold(n):
    # In the plane they are a circle: all tangents are parallel, and have no curvature but that of rounding.
    laws.check_laws(ROTATIONS, (n, n), radius=3.0, without=("curvature spreads geodesics",) if n == 2 else ())


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(ROTATIONS, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    angles = [(0, 0), (1e-8, 0), (np.pi, 0), (np.pi, np.pi), (np.pi - 1e-4, 1), (np.pi - 1e-8, np.pi - 2e-8)]
    angles += [(0.7, 0.7 + gap) for gap in (0, 1e-12, 1e-8, 1e-6, 1e-3)]

    def points(dtype):
        x = np.eye(4, dtype=dtype)
        return {str(pair): (x, *turn(*pair, dtype=dtype)) for pair in angles}

    laws.check_finite(
        ROTATIONS, points, dtype, order, operations=("exp", "squared_dist", "parallel_transport")
    )


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_about_an_axis(dtype, order):
    angles = (0, 1e-8, 1.0, np.pi - 1e-4, np.pi - 1e-8, np.pi)

    def about_an_axis(dtype):
        x = np.eye(3, dtype=dtype)
        return {str(angle): (x, *(m[:3, :3] for m in turn(angle, dtype=dtype))) for angle in angles}

    laws.check_finite(ROTATIONS, about_an_axis, dtype, order, operations=("exp", "squared_dist"))


def test_matches_scipy_expm_and_logm():
    for n in (3, 4):

        @jax.jit
        def draw(n=n):
            x = ROTATIONS.random_point(jax.random.key(0), (n, n))
            u = ROTATIONS.random_tangent(jax.random.key(1), x)
            u = 2 * u / ROTATIONS.norm(x, u)
            y = ROTATIONS.exp(x, u)
            return x, u, y, ROTATIONS.log(x, y)

        x, u, y, log = (np.asarray(part) for part in draw())
        np.testing.assert_allclose(y, x @ scipy.linalg.expm(x.T @ u), atol=1e-13)
        np.testing.assert_allclose(x.T @ log, scipy.linalg.logm(x.T @ y), atol=1e-12)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath_at_small_and_large_angles(dtype, rtol):
    """Against the angles of the very numbers in memory, from their distance to the identity, with 50 digits."""
    for angle in (*(10.0**-k for k in range(1, 9)), 2.0, 3.0):
        for n in (3, 4):
            y = np.asarray(turn(angle)[0])[:n, :n].astype(dtype)
            with mpmath.workdps(50):
                want = float(mpmath.atan2(float(y[1, 0]), float(y[0, 0])))
            np.testing.assert_allclose(ROTATIONS.dist(np.eye(n, dtype=dtype), y), want, rtol=rtol)


def test_beside_a_half_turn_exp_still_undoes_log():
    """In a random frame, where the plane has to be found; scipy's rotation vectors are the oracle in space."""
    frame = np.linalg.qr(np.random.default_rng(1).normal(size=SHAPE))[0]
    for dtype, ulp in ((jnp.float64, 2.3e-16), (jnp.float32, 1.2e-7)):
        for gap in (0.1, 1e-3, 1e-6, 1e-9, 0):
            axis = np.asarray([0.48, -0.6, 0.64]) * (np.pi - gap)
            y = np.asarray(Rotation.from_rotvec(axis).as_matrix(), dtype)
            log = ROTATIONS.log(np.eye(3, dtype=dtype), y)
            np.testing.assert_allclose(ROTATIONS.exp(np.eye(3, dtype=dtype), log), y, atol=50 * ulp)
            x = frame.astype(dtype)
            y = x @ turn(np.pi - gap, 1.0, dtype=dtype)[0] @ x.T
            log = ROTATIONS.log(np.eye(4, dtype=dtype), y)
            np.testing.assert_allclose(ROTATIONS.exp(np.eye(4, dtype=dtype), log), y, atol=50 * ulp)


def test_half_turns_have_no_unique_log():
    for y in (np.diag([-1.0, 1.0, -1.0]), -np.eye(4)):
        x = np.eye(len(y))
        result = ROTATIONS.log_with_info(x, y)
        assert not result.unique and ROTATIONS.log_with_info(x, x).unique
        np.testing.assert_allclose(ROTATIONS.exp(x, result.tangent), y, atol=1e-14)
        want = np.pi * np.sqrt(len(y) // 2)
        np.testing.assert_allclose(ROTATIONS.norm(x, result.tangent), want, rtol=1e-14)


def test_a_reflection_is_at_no_distance_from_a_rotation():
    """A camera with a flipped axis is no rotation of another; nor are its logarithm and its angle numbers."""
    for n in (3, 4):
        x = np.linalg.qr(np.random.default_rng(2).normal(size=(n, n)))[0]
        x[:, 0] *= np.linalg.det(x)
        flipped = x @ np.diag([1.0] * (n - 1) + [-1.0])
        assert np.isnan(ROTATIONS.dist(x, flipped)) and np.isnan(ROTATIONS.dist(flipped, x))
        assert np.all(np.isnan(ROTATIONS.log(x, flipped)))
    turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    assert np.isnan(jax.jit(so3_geodesic)(turn, turn @ np.diag([1.0, 1.0, -1.0])))


def test_law_haar_moments():
    """E x_ij = 0, E x_ij^2 = 1 / n, E (tr x)^2 = 1 for n >= 3, and the variance of each is O(1)."""
    keys = jax.random.split(jax.random.key(0), 4096)
    x = np.asarray(jax.jit(jax.vmap(lambda key: ROTATIONS.random_point(key, (3, 3))))(keys))
    np.testing.assert_allclose(np.linalg.det(x), 1, atol=1e-12)
    np.testing.assert_allclose(x.mean(0), 0, atol=5 / 64)
    np.testing.assert_allclose(np.square(x).mean(0), 1 / 3, atol=5 / 64)
    np.testing.assert_allclose(np.square(np.trace(x, axis1=1, axis2=2)).mean(), 1, atol=10 / 64)


def test_projection_is_the_nearest_rotation():
    """A reflection's nearest rotation turns its weakest axis; no other of many rotations is nearer."""
    a, e = (np.random.default_rng(k).normal(size=(3, 3)) for k in (0, 1))
    derivative = jax.jit(lambda a, e: jax.jvp(ROTATIONS.project, (a,), (e,))[1])
    for matrix in (a, -a):
        nearest = ROTATIONS.project(matrix)
        np.testing.assert_allclose(np.linalg.det(nearest), 1, rtol=1e-12)
        want = Rotation.align_vectors(np.asarray(matrix.T), np.eye(3))[0].as_matrix()
        np.testing.assert_allclose(nearest, want, atol=1e-12)
        h = 1e-6
        slope = (ROTATIONS.project(matrix + h * e) - ROTATIONS.project(matrix - h * e)) / (2 * h)
        np.testing.assert_allclose(derivative(matrix, e), slope, atol=1e-8)
    assert np.all(np.isnan(ROTATIONS.project(-np.eye(3))))
    assert np.all(np.isnan(ROTATIONS.project(np.zeros((3, 3)))))


def test_curvature_of_space_rotations_is_a_quarter():
    x = ROTATIONS.random_point(jax.random.key(0), (3, 3))
    u, v = (ROTATIONS.random_tangent(jax.random.key(k), x) for k in (1, 2))
    np.testing.assert_allclose(ROTATIONS.sectional_curvature(x, u, v), 0.25, rtol=1e-12)


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"SpecialOrthogonal.exp: x has shape \[3, 2\]"):
        ROTATIONS.exp(jnp.ones((3, 2)), jnp.ones((3, 2)))
    with pytest.raises(ValueError, match=r"off the manifold.*project"):
        ROTATIONS.check_point(jnp.diag(jnp.asarray([1.0, 1.0, -1.0])))
    with pytest.raises(ValueError, match=r"off the tangent space"):
        ROTATIONS.check_tangent(jnp.eye(3), jnp.eye(3))
    assert jnp.isnan(ROTATIONS.dist(jnp.eye(4), jnp.full((4, 4), jnp.nan)))
