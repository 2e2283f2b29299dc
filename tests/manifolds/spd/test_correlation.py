"""Correlation matrices: the laws, awkward points, scipy's triangular logarithm, closed forms and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import Correlation, frechet_mean
from tests.manifolds import laws

SPACE, N = Correlation(), 3
SHAPE = (N, N)


def correlations(dtype=jnp.float64):
    x, y = (SPACE.random_point(jax.random.key(k), SHAPE, dtype=jnp.float64) for k in (3, 4))
    return x.astype(dtype), y.astype(dtype)


def logarithm(x):
    lower = np.linalg.cholesky(x)
    return scipy.linalg.logm(lower / np.diag(lower)[:, None]).real


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=1.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    def points(dtype):
        x, y = correlations(dtype)
        identity, zero = jnp.eye(N, dtype=dtype), jnp.zeros(SHAPE, dtype)
        near = 1e-8 if dtype == jnp.float64 else 1e-4
        ones = jnp.ones(SHAPE, dtype)
        singular = (1 - near) * ones + near * identity
        u = SPACE.to_tangent(x, ones) / 10
        return {
            "x = y": (x, x, zero),
            "identity": (identity, identity, zero),
            "apart": (x, y, u),
            "1e-8 apart": (x, SPACE.exp(x, 1e-8 * u), 1e-8 * u),
            "nearly singular": (x, singular, u),
        }

    laws.check_finite(SPACE, points, dtype, order)


def test_matches_scipy():
    """The chart by scipy's Cholesky factor and logarithm; geodesics and the mean are straight there."""
    x, y = correlations()
    logs = logarithm(x), logarithm(y)
    np.testing.assert_allclose(SPACE.dist(x, y), np.linalg.norm(logs[0] - logs[1]), rtol=1e-12)

    def back(z):
        unit = scipy.linalg.expm(z)
        covariance = unit @ unit.T
        scales = np.sqrt(np.diag(covariance))
        return covariance / np.outer(scales, scales)

    np.testing.assert_allclose(SPACE.geodesic(x, y, 0.3), back(0.7 * logs[0] + 0.3 * logs[1]), atol=1e-13)
    mean = frechet_mean(SPACE, jnp.stack([x, y, jnp.eye(N)]), tol=1e-10)
    np.testing.assert_allclose(mean.point, back((logs[0] + logs[1]) / 3), atol=1e-9)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_two_variables_have_a_closed_form(dtype, rtol):
    """T = [[1, 0], [r / sqrt(1 - r^2), 1]]: from the identity the distance is that quotient."""
    for r in (1e-8, 1e-3, 0.6, -0.6):
        got = SPACE.dist(jnp.eye(2, dtype=dtype), jnp.asarray([[1, r], [r, 1]], dtype))
        exact = float(np.asarray(r, dtype))
        np.testing.assert_allclose(float(got), abs(exact) / np.sqrt(1 - exact**2), rtol=4 * rtol)


def test_curvature_is_zero_and_dimension():
    x, _ = correlations()
    assert SPACE.sectional_curvature(x, SPACE.to_tangent(x, x), SPACE.to_tangent(x, x @ x)) == 0
    assert SPACE.dimension(x) == 3


def test_bad_input_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"Correlation.check_point: x is off the manifold.*project"):
        SPACE.check_point(2 * jnp.eye(2))
    with pytest.raises(ValueError, match=r"off the tangent space.*to_tangent"):
        SPACE.check_tangent(jnp.eye(2), jnp.eye(2))
    SPACE.check_point(SPACE.project(jnp.asarray([[4.0, 1.0], [1.0, 1.0]])))
    assert jnp.isnan(SPACE.dist(jnp.eye(2), jnp.asarray([[1.0, 2.0], [2.0, 1.0]])))
