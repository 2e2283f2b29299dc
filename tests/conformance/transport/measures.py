"""Cases of transport between many measures, between parts of them, and of the maps that couplings give."""

import jax
import jax.numpy as jnp

from geojax import transport
from tests.conformance.case import Case
from tests.conformance.transport.clouds import along_the_simplex, clouds, weights

K, N, M = 3, 5, 4
DISCRETE = dict.fromkeys(
    ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges"),
    "the answer is integer and piecewise constant",
)


def measures(key, dtype):
    """cost_matrix, b, weights, epsilon."""
    k1, k2, k3 = jax.random.split(key, 3)
    b = jax.vmap(lambda k: weights(k, M, dtype))(jax.random.split(k2, K))
    return jax.random.uniform(k1, (N, M), dtype), b, weights(k3, K, dtype), jnp.asarray(0.4, dtype)


def measure_directions(key, item):
    k1, k2, k3 = jax.random.split(key, 3)
    cost, b, mix, epsilon = item
    moves = jax.vmap(along_the_simplex)(jax.random.split(k2, K), b)
    return jax.random.normal(k1, cost.shape), moves, along_the_simplex(k3, mix), jnp.ones_like(epsilon)


def measures_with_holes(dtype):
    cost, b, mix, epsilon = measures(jax.random.key(0), dtype)
    b = b.at[0, 1].set(0)
    return cost, b / jnp.sum(b, axis=1, keepdims=True), mix, epsilon


def free(key, dtype):
    """y, b, weights, epsilon, init."""
    _, b, mix, epsilon = measures(key, dtype)
    k1, k2 = jax.random.split(jax.random.fold_in(key, 5))
    y, init = jax.random.normal(k1, (K, M, 2), dtype), jax.random.normal(k2, (3, 2), dtype)
    return y, b, mix, epsilon, init


def free_directions(key, item):
    _, b_dot, mix_dot, epsilon_dot = measure_directions(key, (item[0][0], *item[1:4]))
    return jax.random.normal(key, item[0].shape), b_dot, mix_dot, epsilon_dot


def one_cloud(dtype):
    y, b, mix, epsilon, init = free(jax.random.key(0), dtype)
    return jnp.broadcast_to(y[:1], y.shape), b, mix, epsilon, init


def tensor(key, dtype):
    """cost_tensor, weights, epsilon."""
    keys = jax.random.split(key, 4)
    sizes = (3, 2, 4)
    marginals = [weights(k, n, dtype) for k, n in zip(keys[1:], sizes)]
    return jax.random.uniform(keys[0], sizes, dtype), marginals, jnp.asarray(0.4, dtype)


def tensor_directions(key, item):
    cost, marginals, epsilon = item
    keys = jax.random.split(key, len(marginals))
    moves = [along_the_simplex(k, a) for k, a in zip(keys, marginals)]
    return jax.random.normal(key, cost.shape), moves, jnp.ones_like(epsilon)


def part(key, dtype):
    """cost_matrix, a, b, mass, epsilon."""
    x, y, a, b, epsilon = clouds(key, dtype)
    return jnp.sum((x[:, None] - y) ** 2, axis=-1), a, 2 * b, jnp.asarray(0.6, dtype), epsilon


def targets(key, dtype):
    """x, y, g, b, epsilon."""
    x, y, _, b, epsilon = clouds(key, dtype)
    return x[0], y, jax.random.normal(key, b.shape, dtype), b, epsilon


CASES = [
    Case(
        "barycenter",
        transport.barycenter,
        measures,
        call=lambda cost, b, mix, epsilon: transport.barycenter(cost, b, mix, epsilon=epsilon, tol=1e-13),
        differentiable=(0, 1, 2, 3),
        output=lambda r: (r.a, r.f, r.g, r.cost),
        directions=measure_directions,
        edges={"weights of zero": measures_with_holes},
        tolerance=1e-9,
    ),
    Case(
        "free_support_barycenter",
        transport.free_support_barycenter,
        free,
        call=lambda y, b, mix, epsilon, init: transport.free_support_barycenter(
            y, b, mix, init=init, epsilon=epsilon, tol=1e-11
        ),
        differentiable=(0, 1, 2, 3),
        output=lambda r: (r.points, r.cost),
        directions=free_directions,
        edges={"equal measures": one_cloud},
        tolerance=1e-7,
    ),
    Case(
        "multimarginal_sinkhorn",
        transport.multimarginal_sinkhorn,
        tensor,
        call=lambda cost, marginals, epsilon: transport.multimarginal_sinkhorn(
            cost, marginals, epsilon=epsilon, tol=1e-12
        ),
        differentiable=(0, 1, 2),
        output=lambda r: r.cost,
        directions=tensor_directions,
        edges={
            "equal costs": lambda dtype: (
                jnp.zeros((3, 2, 4), dtype),
                *tensor(jax.random.key(0), dtype)[1:],
            )
        },
        tolerance=1e-9,
    ),
    Case(
        "partial_transport",
        transport.partial_transport,
        part,
        call=lambda cost, a, b, mass, epsilon: transport.partial_transport(
            cost, a, b, mass=mass, epsilon=epsilon, tol=1e-12, max_steps=5000
        ),
        differentiable=(0, 1, 2, 3, 4),
        output=lambda r: r.cost,
        directions=lambda key, item: tuple(0.1 * jax.random.normal(key, v.shape) for v in item),
        edges={"equal costs": lambda dtype: (jnp.zeros((6, 5), dtype), *part(jax.random.key(0), dtype)[1:])},
        tolerance=1e-9,
    ),
    Case(
        "bottleneck_assignment",
        transport.bottleneck_assignment,
        lambda key, dtype: (jax.random.normal(key, (4, 5), dtype),),
        exemptions={
            "nan_is_honest": "the answer is integer: -1 says it, and test_bottleneck tests it",
            **DISCRETE,
        },
    ),
    Case(
        "barycentric_map",
        transport.barycentric_map,
        lambda key, dtype: (
            jax.random.uniform(key, (N, M), dtype, 0.1),
            jax.random.normal(key, (M, 2), dtype),
        ),
        differentiable=(0, 1),
        edges={"one target": lambda dtype: (jnp.ones((N, 1), dtype), jnp.ones((1, 2), dtype))},
    ),
    Case(
        "entropic_map",
        transport.entropic_map,
        targets,
        call=lambda x, y, g, b, epsilon: transport.entropic_map(x, y, g, b, epsilon=epsilon),
        differentiable=(0, 1, 2, 3, 4),
        directions=lambda key, item: tuple(0.1 * jax.random.normal(key, v.shape) for v in item),
        edges={
            "a target of weight zero": lambda dtype: (
                *(v := targets(jax.random.key(0), dtype))[:3],
                v[3].at[1].set(0),
                v[4],
            )
        },
    ),
]

DATA = {
    "BarycenterResult": "what barycenter returns",
    "FreeSupportResult": "what free_support_barycenter returns",
    "MultimarginalResult": "what multimarginal_sinkhorn returns",
}
