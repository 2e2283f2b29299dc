"""Log-Cholesky geometry: the laws, awkward points, 50 digits, and the published formulas."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from geojax.manifolds import SPDLogCholesky
from tests.manifolds import laws
from tests.manifolds.spd_points import OTHER, N, awkward, precise, spd

SPACE, SHAPE = SPDLogCholesky(), (N, N)


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=1.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    laws.check_finite(SPACE, awkward, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 1e-6)])
def test_matches_mpmath(dtype, rtol):
    wide = jnp.asarray([1e-6, 1.0, 1e6], dtype)
    tiny = jnp.asarray(1e-12, dtype) * jnp.eye(N, dtype=dtype)
    pairs = {
        "diagonal": (jnp.diag(wide), jnp.diag(wide[jnp.asarray([2, 0, 1])])),
        "tiny": (tiny, 2 * tiny),
        "full": (spd([0.5, 1.0, 2.0], dtype), spd([0.7, 1.1, 1.9], dtype, OTHER)),
    }
    for name, (x, y) in pairs.items():
        with mpmath.workdps(50):
            one, two = mpmath.cholesky(precise(x)), mpmath.cholesky(precise(y))
            below = [one[i, j] - two[i, j] for i in range(N) for j in range(i)]
            diagonal = [mpmath.log(one[i, i] / two[i, i]) for i in range(N)]
            want = float(mpmath.sqrt(sum(d**2 for d in below + diagonal)))
        np.testing.assert_allclose(float(SPACE.dist(x, y)), want, rtol=rtol, err_msg=name)


def test_matches_published_formulas():
    """Metric and exponential of the paper, on the factors: half(A) keeps half of the diagonal of what is below it."""
    x, y = spd([0.5, 1.0, 2.0]), spd([0.7, 1.1, 1.9], rotation=OTHER)
    u = SPACE.log(x, y)
    lower = np.linalg.cholesky(x)
    inside = np.linalg.solve(lower, np.linalg.solve(lower, u).T)
    slope = lower @ (np.tril(inside, -1) + np.diag(np.diag(inside)) / 2)
    squared = np.sum(np.tril(slope, -1) ** 2) + np.sum((np.diag(slope) / np.diag(lower)) ** 2)
    np.testing.assert_allclose(SPACE.inner(x, u, u), squared, rtol=1e-12)
    moved = np.tril(lower, -1) + np.tril(slope, -1)
    moved += np.diag(np.diag(lower) * np.exp(np.diag(slope) / np.diag(lower)))
    np.testing.assert_allclose(moved @ moved.T, y, atol=1e-12)
    np.testing.assert_allclose(SPACE.exp(x, u), moved @ moved.T, atol=1e-12)


def test_curvature_is_zero_and_bad_input_is_nan():
    assert SPACE.sectional_curvature(spd([0.5, 1.0, 2.0]), jnp.eye(N), jnp.ones((N, N))) == 0
    assert jnp.isnan(SPACE.dist(jnp.eye(2), jnp.diag(jnp.asarray([1.0, -1.0]))))
    with pytest.raises(ValueError, match=r"SPDLogCholesky.log: y has shape \[2, 2\]"):
        SPACE.log(jnp.eye(3), jnp.eye(2))
