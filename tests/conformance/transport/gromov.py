"""Cases of transport between spaces."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case

N, M = 5, 4


def weights(key, size, dtype):
    return jax.nn.softmax(0.3 * jax.random.normal(key, (size,), dtype))


def along_the_simplex(key, weight):
    """A change of weights that keeps their sum."""
    change = jax.random.normal(key, weight.shape, weight.dtype)
    return weight * (change - jnp.sum(weight * change) / jnp.sum(weight))


def squares(x):
    return jnp.sum((x[:, None] - x) ** 2, axis=-1)


def spaces(key, dtype):
    """cost_x, cost_y, a, b, epsilon; the entropy is strong, so that the optimum is the same for all near it."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    x, y = jax.random.normal(k1, (N, 2), dtype), jax.random.normal(k2, (M, 2), dtype)
    a, b = weights(k3, N, dtype), weights(k4, M, dtype)
    return squares(x) / 4, squares(y) / 4, a, b, jnp.asarray(3.0, dtype)


def space_directions(key, item):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    cost_x, cost_y, a, b, epsilon = item
    changes = jax.random.normal(k1, cost_x.shape), jax.random.normal(k2, cost_y.shape)
    return *changes, along_the_simplex(k3, a), along_the_simplex(k4, b), jnp.ones_like(epsilon)


def fused(key, dtype):
    """cost_matrix, cost_x, cost_y, a, b, epsilon, alpha."""
    return (
        jax.random.uniform(jax.random.fold_in(key, 9), (N, M), dtype),
        *spaces(key, dtype),
        jnp.asarray(0.4, dtype),
    )


def fused_directions(key, item):
    change = jax.random.normal(jax.random.fold_in(key, 9), item[0].shape)
    return change, *space_directions(key, item[1:6]), jnp.ones_like(item[6])


def at_zero_weight(dtype):
    cost_x, cost_y, a, b, epsilon = spaces(jax.random.key(0), dtype)
    return cost_x, cost_y, a.at[0].set(0) / (1 - a[0]), b, epsilon


def at_one_point(dtype):
    _, _, a, b, epsilon = spaces(jax.random.key(0), dtype)
    return jnp.zeros((N, N), dtype), jnp.zeros((M, M), dtype), a, b, epsilon


def two_clouds(key, dtype):
    """x, y, a, b."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    x, y = jax.random.normal(k1, (N, 2), dtype), jax.random.normal(k2, (M, 2), dtype)
    return x, y, weights(k3, N, dtype), weights(k4, M, dtype)


def all_points_equal(dtype):
    x, y, a, b = two_clouds(jax.random.key(0), dtype)
    return jnp.ones_like(x), jnp.ones_like(y), a, b


CASES = [
    Case(
        "gromov_wasserstein",
        transport.gromov_wasserstein,
        spaces,
        call=lambda x, y, a, b, epsilon: transport.gromov_wasserstein(
            x, y, a, b, epsilon=epsilon, tol=1e-12, max_steps=300
        ),
        differentiable=(0, 1, 2, 3, 4),
        output=lambda result: result.objective,
        directions=space_directions,
        edges={"a weight of zero": at_zero_weight, "spaces of one point": at_one_point},
        tolerance=1e-9,
    ),
    Case(
        "fused_gromov_wasserstein",
        transport.fused_gromov_wasserstein,
        fused,
        call=lambda c, x, y, a, b, epsilon, alpha: transport.fused_gromov_wasserstein(
            c, x, y, a, b, epsilon=epsilon, alpha=alpha, tol=1e-12, max_steps=300
        ),
        differentiable=(0, 1, 2, 3, 4, 5, 6),
        output=lambda result: result.objective,
        directions=fused_directions,
        edges={"no distances": lambda dtype: (*fused(jax.random.key(0), dtype)[:-1], jnp.zeros((), dtype))},
        tolerance=1e-9,
    ),
    *(
        Case(
            function.__name__,
            function,
            two_clouds,
            call=lambda x, y, a, b, function=function: function(
                x, y, a, b, rank=2, key=jax.random.key(0), max_steps=20, max_inner_steps=20
            ),
            differentiable=(0, 1),
            output=lambda result: result.cost,
            edges={"equal points": all_points_equal},
            nan_arguments=(0, 1),
            tolerance=1e-6,
            exemptions={
                "gradient_matches_differences": "the factors are held fixed, and test_low_rank tests the gradient",
                "shard_map_equals_vmap": "the loops of ott do not say what varies over a mesh",
                "pmap_equals_vmap": "the loops of ott do not say what varies over a mesh",
            },
        )
        for function in (transport.low_rank_sinkhorn, transport.low_rank_gromov_wasserstein)
    ),
]

DATA = {
    "GromovResult": "what the Gromov-Wasserstein solvers return",
    "LowRankResult": "what the low-rank solvers return",
}
