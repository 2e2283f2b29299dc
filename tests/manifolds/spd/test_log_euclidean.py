"""Log-Euclidean geometry: the laws, awkward points, 50 digits, and what the flat chart says in closed form."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import SPDLogEuclidean, frechet_mean
from tests.manifolds import laws
from tests.manifolds.spd_points import OTHER, N, awkward, frobenius, precise_function, spd

SPACE, SHAPE = SPDLogEuclidean(), (N, N)


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=1.5)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_at_awkward_points(dtype, order):
    laws.check_finite(SPACE, awkward, dtype, order)


@pytest.mark.parametrize("dtype, rtol", [(jnp.float64, 1e-13), (jnp.float32, 2e-6)])
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
            difference = precise_function(x, mpmath.log) - precise_function(y, mpmath.log)
            want = float(frobenius(difference))
        np.testing.assert_allclose(float(SPACE.dist(x, y)), want, rtol=rtol, err_msg=name)


@pytest.mark.full
def test_matches_scipy():
    x, y = spd([0.5, 1.0, 2.0]), spd([0.7, 1.1, 1.9], rotation=OTHER)
    logs = [scipy.linalg.logm(np.asarray(p)) for p in (x, y)]
    np.testing.assert_allclose(SPACE.geodesic(x, y, 0.3), scipy.linalg.expm(0.7 * logs[0] + 0.3 * logs[1]))
    want = scipy.linalg.expm_frechet(logs[0], logs[1] - logs[0], compute_expm=False)
    np.testing.assert_allclose(SPACE.log(x, y), want, atol=1e-12)
    points = jnp.stack([x, y, jnp.eye(N)])
    mean = frechet_mean(SPACE, points, tol=1e-10)
    np.testing.assert_allclose(mean.point, scipy.linalg.expm((logs[0] + logs[1]) / 3), atol=1e-9)


def test_curvature_is_zero():
    x = spd([0.5, 1.0, 2.0])
    assert SPACE.sectional_curvature(x, x, jnp.eye(N)) == 0


def test_bad_input():
    with pytest.raises(ValueError, match=r"SPDLogEuclidean.exp: u has shape \[2, 2\]"):
        SPACE.exp(jnp.eye(3), jnp.eye(2))
    assert not jnp.isfinite(SPACE.dist(jnp.eye(2), jnp.diag(jnp.asarray([1.0, -1.0]))))
