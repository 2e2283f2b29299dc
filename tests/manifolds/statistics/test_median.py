"""Fréchet medians: closed forms, brute force, medians that are one of the points, derivatives, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from geojax.manifolds import Euclidean, Sphere, frechet_median
from geojax.results import Status
from tests.manifolds.statistics.test_mean import SPHERE, N, cloud


def solve(points, weights, manifold=SPHERE):
    return frechet_median(manifold, points, weights, tol=1e-10)


def test_matches_the_median_of_numbers():
    x = jnp.asarray([[3.0], [-1.0], [0.5], [10.0], [2.0]])
    found = solve(x, jnp.ones(5), Euclidean())
    assert found.status == Status.CONVERGED
    np.testing.assert_array_equal(found.point, [2.0])
    heavy = solve(x, jnp.asarray([1.0, 1.0, 1.0, 9.0, 1.0]), Euclidean())
    np.testing.assert_array_equal(heavy.point, [10.0])
    assert int(heavy.num_steps) <= 6


def test_matches_scipy_in_the_plane():
    points, weights = np.random.default_rng(0).normal(size=(N, 3)), np.arange(1.0, N + 1)
    want = scipy.optimize.minimize(
        lambda x: weights @ np.linalg.norm(points - x, axis=1), points.mean(0), tol=1e-14
    ).x
    np.testing.assert_allclose(solve(points, weights, Euclidean()).point, want, atol=1e-6)


def test_law_no_point_nearby_is_better():
    """Against the sum of distances at random neighbours; points of the sample are medians of some samples."""

    def terms(key):
        points, weights = cloud(key, 1.2)
        weights = weights.at[0].mul(jnp.where(weights[1] > 0.5, 6.0, 1.0))
        found = solve(points, weights)

        def objective(x):
            return weights @ jax.vmap(lambda y: SPHERE.dist(x, y))(points)

        def beside(key):
            return objective(SPHERE.exp(found.point, 1e-3 * SPHERE.random_tangent(key, found.point)))

        others = jax.vmap(beside)(jax.random.split(key, 8))
        nearest = jnp.min(jax.vmap(lambda y: SPHERE.dist(found.point, y))(points))
        return jnp.min(others) - objective(found.point), found.status, nearest, found.num_steps

    better, status, nearest, steps = jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 32))
    assert float(jnp.min(better)) > -1e-14
    assert jnp.all(status == Status.CONVERGED)
    assert int(jnp.sum(nearest == 0)) > 3
    assert int(jnp.sum(nearest > 1e-3)) > 3
    assert int(jnp.max(steps)) < 60, steps


@pytest.mark.full
def test_gradient_matches_differences_at_smooth_medians_and_at_points():
    points, weights = cloud(jax.random.key(2))
    points, weights = points.at[0].set(SPHERE.project(jnp.sum(points[1:], axis=0))), jnp.ones(N)
    direction = jax.vmap(SPHERE.to_tangent)(points, cloud(jax.random.key(4))[0])

    @jax.jit
    def function(t, first):
        moved = jax.vmap(SPHERE.exp)(points, t * direction)
        return solve(moved, (weights + t).at[0].set(first)).point[0]

    h = 1e-5
    for first in (0.01, 9.0):  # 9: the first point outweighs all others, and is the median
        want = float(function(h, first) - function(-h, first)) / (2 * h)
        np.testing.assert_allclose(float(jax.jit(jax.grad(function))(0.0, first)), want, rtol=1e-5)


def test_bad_input_says_what_is_wrong():
    points, weights = cloud(jax.random.key(0))
    assert solve(points.at[0, 0].set(jnp.nan), weights).status == Status.NONFINITE
    assert solve(points, weights.at[0].set(-1.0)).status == Status.INFEASIBLE
    with pytest.raises(ValueError, match="frechet_median: points holds no point"):
        frechet_median(Sphere(), points[:0])
