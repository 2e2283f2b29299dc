"""Geodesic regression: straight lines of numpy, planted geodesics, brute force, derivatives, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import Euclidean, geodesic_regression
from geojax.results import Status
from tests.manifolds.statistics.test_mean import SPHERE, N, cloud

TIMES = np.asarray([-1.0, 0.2, 0.5, 1.5, 3.0])


def solve(points, weights, times=TIMES):
    return geodesic_regression(SPHERE, times, points, weights, tol=1e-11)


def test_matches_numpy_lines():
    x, w = np.random.default_rng(0).normal(size=(N, 2)), np.arange(1.0, N + 1)
    found = geodesic_regression(Euclidean(), TIMES, x, w, tol=1e-12)
    slope, at_zero = np.polyfit(TIMES, x, 1, w=np.sqrt(w))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.point, at_zero, atol=1e-11)
    np.testing.assert_allclose(found.velocity, slope, atol=1e-11)


@pytest.mark.full
def test_law_planted_geodesics_are_found_and_no_neighbour_of_a_fit_is_better():
    def terms(key):
        points, weights = cloud(key, 0.8)
        p, v = points[0], 0.5 * SPHERE.log(points[0], points[1])
        planted = jax.vmap(lambda t: SPHERE.exp(p, t * v))(TIMES)
        both = jax.lax.map(lambda sample: solve(sample, weights), jnp.stack([planted, points]))
        exact, fit = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))

        def objective(x, u):
            return weights @ jax.vmap(lambda t, y: SPHERE.squared_dist(SPHERE.exp(x, t * u), y))(
                TIMES, points
            )

        def beside(key):
            k1, k2 = jax.random.split(key)
            x = SPHERE.exp(fit.point, 1e-3 * SPHERE.random_tangent(k1, fit.point))
            u = SPHERE.parallel_transport(fit.point, x, fit.velocity)
            return objective(x, u + 1e-3 * SPHERE.random_tangent(k2, x))

        others = jax.vmap(beside)(jax.random.split(key, 4))
        return (
            jnp.max(jnp.abs(exact.point - p)) + jnp.max(jnp.abs(exact.velocity - v)),
            jnp.min(others) - objective(fit.point, fit.velocity),
            fit.status,
        )

    planted, better, status = jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 16))
    assert float(jnp.max(planted)) < 1e-9
    assert float(jnp.min(better)) > 0
    assert jnp.all(status == Status.CONVERGED)


def test_gradient_matches_differences():
    x, direction = np.random.default_rng(0).normal(size=(2, N, 2))

    @jax.jit
    def function(t):
        times, weights = TIMES + t * np.sin(TIMES), 1 + t * np.arange(N)
        found = geodesic_regression(Euclidean(), times, x + t * direction, weights, tol=1e-11)
        return found.point[0] + found.velocity[1]

    want = float(function(1e-5) - function(-1e-5)) / 2e-5
    np.testing.assert_allclose(float(jax.jit(jax.grad(function))(0.0)), want, rtol=1e-6)


def test_bad_input_says_what_is_wrong():
    points, weights = cloud(jax.random.key(0))
    assert solve(points.at[0, 0].set(jnp.nan), weights).status == Status.NONFINITE
    assert solve(points, weights, np.ones(N)).status == Status.NONFINITE
    assert solve(points, -weights).status == Status.INFEASIBLE
    with pytest.raises(ValueError, match=r"times has shape \[4\]"):
        solve(points, weights, TIMES[:4])
