"""The sphere: the laws, the awkward points, angles against 50 digits, and what bad input says."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import Sphere
from tests.manifolds import laws

SPHERE, SHAPE = Sphere(), (4,)


def test_law_manifold():
    laws.check_laws(SPHERE, SHAPE, radius=3.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPHERE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        x = jnp.asarray([0.6, 0.0, 0.8, 0.0], dtype)
        u = jnp.asarray([0.0, 1.0, 0.0, 0.0], dtype)
        zero = jnp.zeros_like(u)
        near = {
            f"angle {a}": (x, jnp.asarray(np.cos(a), dtype) * x + jnp.asarray(np.sin(a), dtype) * u, a * u)
            for a in (1e-12, 1e-8, 1e-4, np.pi / 2, np.pi - 1e-4, np.pi - 1e-8)
        }
        return {"x = y": (x, x, zero), "antipodal": (x, -x, jnp.asarray(np.pi, dtype) * u), **near}

    laws.check_finite(SPHERE, points, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath_at_small_and_large_angles(dtype, rtol):
    """Against the angle of the very points in memory, computed with 50 digits."""
    for angle in (*(10.0**-k for k in range(1, 9)), 2.0, 3.1, np.pi - 1e-3):
        x = np.asarray([1, 0, 0], dtype)
        y = np.asarray([np.cos(angle), np.sin(angle) * 0.6, np.sin(angle) * 0.8], dtype)
        with mpmath.workdps(50):
            exact = [[mpmath.mpf(float(c)) for c in p] for p in (x, y)]
            apart = mpmath.sqrt(sum((a - b) ** 2 for a, b in zip(*exact)))
            together = mpmath.sqrt(sum((a + b) ** 2 for a, b in zip(*exact)))
            want = float(2 * mpmath.atan2(apart, together))
        np.testing.assert_allclose(float(SPHERE.dist(x, y)), want, rtol=rtol)
        np.testing.assert_allclose(float(SPHERE.norm(x, SPHERE.log(x, y))), want, rtol=rtol)


def test_antipodal_points_have_no_unique_log():
    x = jnp.asarray([0.0, 0.6, 0.8])
    result = SPHERE.log_with_info(x, -x)
    assert not result.unique
    assert SPHERE.log_with_info(x, jnp.asarray([1.0, 0.0, 0.0])).unique
    np.testing.assert_allclose(SPHERE.exp(x, result.tangent), -x, atol=1e-12)
    np.testing.assert_allclose(SPHERE.norm(x, result.tangent), np.pi, rtol=1e-12)


def test_curvature_is_one():
    x = SPHERE.random_point(jax.random.key(0), SHAPE)
    u, v = (SPHERE.random_tangent(jax.random.key(k), x) for k in (1, 2))
    np.testing.assert_allclose(SPHERE.sectional_curvature(x, u, v), 1, rtol=1e-12)
    assert jnp.isnan(SPHERE.sectional_curvature(x, u, 0 * u))


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Sphere.exp: u has shape \[3\]"):
        SPHERE.exp(jnp.ones(2), jnp.ones(3))
    with pytest.raises(ValueError, match="rank 2"):
        SPHERE.dist(jnp.ones((2, 2)), jnp.ones((2, 2)))
    with pytest.raises(TypeError, match="real numbers"):
        SPHERE.project(1j * jnp.ones(2))
    with pytest.raises(ValueError, match=r"off the manifold by 0.5.*project"):
        SPHERE.check_point(jnp.asarray([2.0, 0.0]))
    with pytest.raises(ValueError, match=r"off the tangent space.*to_tangent"):
        SPHERE.check_tangent(jnp.asarray([1.0, 0.0]), jnp.asarray([1.0, 0.0]))
    SPHERE.check_point(jnp.asarray([0.6, 0.8]))
    assert jnp.all(jnp.isnan(SPHERE.project(jnp.zeros(3))))
