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


def far_away(key, dtype):
    """Points of more coordinates than are subtracted one by one, far from the origin."""
    k1, k2 = jax.random.split(key)
    return jax.random.normal(k1, (N, 9), dtype) + 100, jax.random.normal(k2, (M, 9), dtype) + 100


def equal_points(dtype):
    x, _ = far_away(jax.random.key(0), dtype)
    return x, x


CASES = [
    *(
        Case(
            "pairwise",
            transport.pairwise,
            far_away,
            call=lambda x, y, cost=cost: transport.pairwise(cost, x, y),
            variant=variant,
            differentiable=(0, 1),
            edges={"equal points": equal_points},
        )
        for variant, cost in (
            ("squared", transport.SquaredEuclidean()),
            ("distance", transport.Distance()),
            ("function", lambda p, q: jnp.linalg.norm(p - q)),
        )
    ),
    Case(
        "point_cloud_sinkhorn",
        transport.point_cloud_sinkhorn,
        clouds,
        call=lambda x, y, a, b, epsilon: transport.point_cloud_sinkhorn(
            x, y, a, b, epsilon=epsilon, tol=1e-12, block=4
        ),
        differentiable=(0, 1, 2, 3, 4),
        output=lambda result: result.cost,
        directions=cloud_directions,
        edges={"equal measures": coincident_clouds},
        tolerance=1e-9,
    ),
]

DATA = {
    "PointCloudResult": "what the point-cloud solver returns",
    "SquaredEuclidean": "a cost, with the cases of pairwise",
    "Distance": "a cost, with the cases of pairwise",
}
