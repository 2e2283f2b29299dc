"""Ladders: the closed form on symmetric spaces, and the order of the error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.manifolds import Euclidean, SPDAffineInvariant, SPDBuresWasserstein, pole_ladder, schild_ladder
from tests.manifolds.statistics.test_mean import SPHERE


def problem(manifold, shape):
    @jax.jit
    def draw():
        x = manifold.random_point(jax.random.key(0), shape, dtype=jnp.float64)
        u, v = (manifold.random_tangent(jax.random.key(k), x) for k in (1, 2))
        return x, manifold.exp(x, 0.7 * u / manifold.norm(x, u)), 0.5 * v / manifold.norm(x, v)

    return tuple(np.asarray(part) for part in draw())


@pytest.mark.parametrize(
    "manifold, shape", [(SPHERE, (4,)), pytest.param(SPDAffineInvariant(), (3, 3), marks=pytest.mark.full)]
)
def test_matches_parallel_transport_on_symmetric_spaces(manifold, shape):
    """The pole ladder with one rung, and Schild's to first order of the number of rungs squared."""
    x, y, u = problem(manifold, shape)
    want = manifold.parallel_transport(x, y, u)
    np.testing.assert_allclose(pole_ladder(manifold, x, y, u), want, atol=1e-11)
    carried = jax.jit(schild_ladder, static_argnames="num_rungs")
    error = [float(np.linalg.norm(carried(manifold, x, y, u, num_rungs=n) - want)) for n in (8, 16)]
    assert 1.9 < np.log2(error[0] / error[1]) < 2.1


def test_law_several_rungs_on_the_sphere_and_none_in_flat_space():
    x, y, u = problem(SPHERE, (4,))
    want = SPHERE.parallel_transport(x, y, u)
    np.testing.assert_allclose(pole_ladder(SPHERE, x, y, u, num_rungs=4), want, atol=1e-11)
    for ladder in (pole_ladder, schild_ladder):
        np.testing.assert_allclose(ladder(Euclidean(), x, y, u), u, atol=1e-13)
        np.testing.assert_allclose(ladder(SPHERE, x, x, u), u, atol=1e-12)


def bures_transport(x, y, u, steps=200):
    """Transport of the Bures-Wasserstein metric along the geodesic M M^T, M = (1 + t s) x^(1/2), by Runge and Kutta.

    A vector is k z + z k at z = M M^T; along the geodesic k' + k l is the skew a of  a z + z a = z [k, l] z, times
    z^-1, with l = s (1 + t s)^-1: the derivative of the lift k M has no horizontal part.
    """
    n = len(x)
    eye = np.eye(n)
    s = scipy.linalg.solve_sylvester(x, x, np.asarray(SPDBuresWasserstein().log(x, y)))
    root = scipy.linalg.sqrtm(x)

    def slope(t, k):
        z = (eye + t * s) @ root @ root @ (eye + t * s)
        l = s @ np.linalg.inv(eye + t * s)
        a = scipy.linalg.solve_sylvester(z, z, z @ (k @ l - l @ k) @ z)
        return a @ np.linalg.inv(z) - k @ l

    k, h = scipy.linalg.solve_sylvester(x, x, u), 1 / steps
    for t in h * np.arange(steps):
        one = slope(t, k)
        two = slope(t + h / 2, k + h / 2 * one)
        three = slope(t + h / 2, k + h / 2 * two)
        k = k + h / 6 * (one + 2 * two + 2 * three + slope(t + h, k + h * three))
    return k @ y + y @ k


@pytest.mark.full
def test_law_errors_are_of_second_order_where_curvature_is_not_parallel():
    """On covariances of Bures-Wasserstein geometry, no symmetric space, against the differential equation."""
    manifold = SPDBuresWasserstein()
    x, y, u = problem(manifold, (3, 3))
    want = bures_transport(*(np.asarray(a) for a in (x, y, u)))
    np.testing.assert_allclose(manifold.norm(y, want), manifold.norm(x, u), rtol=1e-9)
    for ladder in (pole_ladder, schild_ladder):
        carried = jax.jit(ladder, static_argnames="num_rungs")
        error = [float(np.linalg.norm(carried(manifold, x, y, u, num_rungs=n) - want)) for n in (8, 16)]
        assert 1.8 < np.log2(error[0] / error[1]) < 2.2


def test_bad_input_says_what_is_wrong():
    x, y, u = problem(SPHERE, (4,))
    with pytest.raises(ValueError, match="num_rungs is 0"):
        pole_ladder(SPHERE, x, y, u, num_rungs=0)
    with pytest.raises(ValueError, match="schild_ladder: u has shape"):
        schild_ladder(SPHERE, x, y, u[:3])
