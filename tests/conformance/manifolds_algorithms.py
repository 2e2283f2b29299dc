"""Cases of means, medians and what is fitted to points of a manifold."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import Sphere
from tests.conformance.case import Case

N = 4
SPHERE = Sphere()


def around(key, dtype, size=N):
    """Points [size, 3] of the sphere within a right angle of each other, and positive weights."""
    k1, k2 = jax.random.split(key)
    points = jnp.asarray([1.0, 1.0, 1.0], dtype) + 0.5 * jax.random.normal(k1, (size, 3), dtype)
    weights = jax.random.uniform(k2, (size,), dtype, minval=0.5)
    return jax.vmap(SPHERE.project)(points), weights


def along_the_sphere(key, points):
    return jax.vmap(SPHERE.random_tangent)(jax.random.split(key, len(points)), points)


def weighted_directions(key, item):
    points, weights = item
    return along_the_sphere(key, points), 0.1 * jnp.ones_like(weights)


def together(dtype):
    points, weights = around(jax.random.key(0), dtype)
    return jnp.broadcast_to(points[0], points.shape), weights


CASES = [
    Case(
        "frechet_mean",
        manifolds.frechet_mean,
        around,
        call=lambda points, weights: manifolds.frechet_mean(SPHERE, points, weights, tol=1e-12),
        differentiable=(0, 1),
        output=lambda result: result.point,
        directions=weighted_directions,
        edges={"all points equal": together},
        tolerance=1e-10,
    ),
]

DATA = {"MeanResult": "what frechet_mean and frechet_median return"}
