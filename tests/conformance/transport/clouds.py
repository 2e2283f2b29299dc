"""Cases of transport between point clouds, and of maps made from it."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case

N, M = 6, 5


def weights(key, size, dtype):
    return jax.nn.softmax(jax.random.normal(key, (size,), dtype))


def along_the_simplex(key, weight):
    """A change of weights that keeps their sum."""
    change = jax.random.normal(key, weight.shape, weight.dtype)
    return weight * (change - jnp.sum(weight * change) / jnp.sum(weight))


def square(x, y):
    return jnp.sum((x - y) ** 2)


def clouds(key, dtype):
    """x, y, a, b, epsilon."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    x, y = jax.random.normal(k1, (N, 2), dtype), jax.random.normal(k2, (M, 2), dtype)
    return x, y, weights(k3, N, dtype), weights(k4, M, dtype), jnp.asarray(0.5, dtype)


def cloud_directions(key, item):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    x, y, a, b, epsilon = item
    moves = jax.random.normal(k1, x.shape), jax.random.normal(k2, y.shape)
    return *moves, along_the_simplex(k3, a), along_the_simplex(k4, b), jnp.ones_like(epsilon)


def coincident_clouds(dtype):
    x, _, a, _, epsilon = clouds(jax.random.key(0), dtype)
    return x, x, a, a, epsilon


CASES = [
    Case(
        "point_cloud_sinkhorn",
        transport.point_cloud_sinkhorn,
        clouds,
        call=lambda x, y, a, b, epsilon: transport.point_cloud_sinkhorn(
            x, y, a, b, cost=square, epsilon=epsilon, tol=1e-12, block=4
        ),
        differentiable=(0, 1, 2, 3, 4),
        output=lambda result: result.cost,
        directions=cloud_directions,
        edges={"equal measures": coincident_clouds},
        tolerance=1e-9,
    ),
]

DATA = {"PointCloudResult": "what the point-cloud solver returns"}
