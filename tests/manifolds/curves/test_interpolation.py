"""Bézier curves: polynomials in Euclidean space, and their ends and directions on the sphere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate

from geojax.manifolds import Euclidean, bezier_curve
from tests.manifolds.statistics.test_mean import SPHERE, N, cloud

FLAT = Euclidean()
X = np.random.default_rng(0).normal(size=(N, 2))


def test_matches_scipy_polynomials():
    t = np.linspace(0, 1, 7)
    bernstein = scipy.interpolate.BPoly(X[:, None], [0, 1])
    curve = jax.jit(jax.vmap(lambda t: bezier_curve(FLAT, X, t)))
    np.testing.assert_allclose(curve(t), bernstein(t), atol=1e-13)


def test_law_ends_and_directions_on_the_sphere():
    def terms(key):
        points, _ = cloud(key, 0.8)
        start, velocity = jax.jvp(lambda t: bezier_curve(SPHERE, points, t), (0.0,), (1.0,))
        end = bezier_curve(SPHERE, points, 1.0)
        half = bezier_curve(SPHERE, points, 0.5)
        reversed_half = bezier_curve(SPHERE, points[::-1], 0.5)
        return (
            start - points[0],
            velocity - (N - 1) * SPHERE.log(points[0], points[1]),
            end - points[-1],
            half - reversed_half,
            jnp.linalg.norm(half) - 1,
        )

    for term in jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), 16)):
        np.testing.assert_allclose(term, 0, atol=1e-11)


def test_one_and_two_points():
    points = np.random.default_rng(1).normal(size=(2, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(bezier_curve(SPHERE, points[:1], 0.3), points[0])
    between = SPHERE.geodesic(points[0], points[1], 0.3)
    np.testing.assert_allclose(bezier_curve(SPHERE, points[:2], 0.3), between, atol=1e-14)


def test_bad_input_says_what_is_wrong():
    points = np.eye(3)
    with pytest.raises(ValueError, match="bezier_curve: points holds no point"):
        bezier_curve(SPHERE, points[:0], 0.5)
