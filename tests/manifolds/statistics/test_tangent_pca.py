"""Tangent PCA: principal components of scikit-learn in flat space, and what it keeps on curved ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.decomposition

from geojax.manifolds import Euclidean, frechet_mean, tangent_pca
from tests.manifolds.statistics.test_mean import SPHERE, N, cloud


def test_matches_scikit_learn():
    x = np.random.default_rng(0).normal(size=(12, 4)) * [3.0, 2.0, 1.0, 0.2]
    want = sklearn.decomposition.PCA().fit(x)
    found = jax.jit(tangent_pca)(Euclidean(), x.mean(0), x)
    np.testing.assert_allclose(found.variances, want.explained_variance_ * 11 / 12, rtol=1e-12)
    overlap = np.asarray(found.directions) @ want.components_.T
    np.testing.assert_allclose(np.abs(overlap), np.eye(4), atol=1e-10)
    rebuilt = np.asarray(found.coordinates) @ np.asarray(found.directions)
    np.testing.assert_allclose(rebuilt, x - x.mean(0), atol=1e-12)


def test_law_orthonormal_complete_and_equivariant():
    def terms(key):
        points, weights = cloud(key)
        x = frechet_mean(SPHERE, points, weights, tol=1e-12).point
        found = tangent_pca(SPHERE, x, points, weights)
        rebuilt = jax.vmap(lambda c: SPHERE.exp(x, c @ found.directions))(found.coordinates)
        rotation = jnp.linalg.qr(jax.random.normal(key, (3, 3)))[0]
        turned = tangent_pca(SPHERE, rotation @ x, points @ rotation.T, 3 * weights)
        squared = jax.vmap(lambda y: SPHERE.squared_dist(x, y))(points)
        return (
            found.directions @ found.directions.T - jnp.eye(2),
            rebuilt - points,
            turned.directions - found.directions @ rotation.T,
            jnp.sum(found.variances) - weights @ squared / jnp.sum(weights),
            weights @ found.coordinates,
        )

    for term in jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 16)):
        np.testing.assert_allclose(term, 0, atol=1e-9)


def test_fewer_points_than_dimensions_and_equal_points():
    point = np.asarray([0.36, 0.48, 0.8])
    found = jax.jit(tangent_pca)(SPHERE, point, np.tile(point, (N, 1)))
    assert np.all(np.asarray(found.variances) == 0) and np.all(np.asarray(found.directions) == 0)
    assert jax.jit(tangent_pca)(Euclidean(), np.zeros(9), np.ones((2, 9))).directions.shape == (2, 9)


def test_gradient_matches_differences():
    points, _ = cloud(jax.random.key(1))

    @jax.jit
    def function(t):
        moved = jax.vmap(lambda x: SPHERE.project(x + t * jnp.asarray([0.3, -1.0, 0.4]) * x[0]))(points)
        found = tangent_pca(SPHERE, points[0], moved)
        return found.variances[0] + found.directions[1, 2] + found.coordinates[2, 0]

    want = float(function(1e-5) - function(-1e-5)) / 2e-5
    np.testing.assert_allclose(float(jax.jit(jax.grad(function))(0.0)), want, rtol=1e-7)


def test_bad_input_says_what_is_wrong():
    points, weights = cloud(jax.random.key(0))
    points = np.array(points)
    broken = np.where(np.arange(points.size).reshape(points.shape) == 0, np.nan, points)
    assert np.any(np.isnan(jax.jit(tangent_pca)(SPHERE, points[0], broken).variances))
    with pytest.raises(ValueError, match=r"weights has shape \[4\]"):
        tangent_pca(SPHERE, points[0], points, weights[:4])
