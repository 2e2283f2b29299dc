"""Cases of optimal transport."""

import jax
import jax.numpy as jnp

from geojax.transport import (
    assignment,
    assignment_cost,
    exact_transport,
    sinkhorn,
    sinkhorn_divergence,
    sinkhorn_newton,
    unbalanced_sinkhorn,
    unbalanced_sinkhorn_divergence,
)
from tests.conformance.case import Case

N, M = 6, 5


def costs(key, dtype, n=N, m=M):
    """Squared distances between two clouds in the plane."""
    x, y = (jax.random.normal(k, (size, 2), dtype) for k, size in zip(jax.random.split(key), (n, m)))
    return jnp.sum((x[:, None] - y) ** 2, axis=-1)


def weights(key, size, dtype):
    return jax.nn.softmax(jax.random.normal(key, (size,), dtype))


def along_the_simplex(key, weight):
    """A change of weights that keeps their sum."""
    change = jax.random.normal(key, weight.shape, weight.dtype)
    return weight * (change - jnp.sum(weight * change) / jnp.sum(weight))


def problem(key, dtype):
    """cost_matrix, a, b, epsilon."""
    k1, k2, k3 = jax.random.split(key, 3)
    return costs(k1, dtype), weights(k2, N, dtype), weights(k3, M, dtype), jnp.asarray(0.5, dtype)


def problem_directions(key, item):
    k1, k2, k3 = jax.random.split(key, 3)
    cost, a, b, epsilon = item
    change = jax.random.normal(k1, cost.shape)
    return change, along_the_simplex(k2, a), along_the_simplex(k3, b), jnp.ones_like(epsilon)


def at_zero_weights(dtype):
    cost, a, b, epsilon = problem(jax.random.key(0), dtype)
    a, b = a.at[:2].set(0), b.at[0].set(0)
    return cost, a / jnp.sum(a), b / jnp.sum(b), epsilon


def at_equal_points(dtype):
    return jnp.zeros((N, M), dtype), *problem(jax.random.key(0), dtype)[1:]


def clouds(key, dtype):
    """x, y, a, b, epsilon."""
    k1, k2 = jax.random.split(key)
    x, y = (jax.random.normal(k, (size, 2), dtype) for k, size in zip(jax.random.split(k1), (N, M)))
    return x, y, *problem(k2, dtype)[1:]


def cloud_directions(key, item):
    k1, k2, k3 = jax.random.split(key, 3)
    x, y, a, b, epsilon = item
    moves = jax.random.normal(k1, x.shape), jax.random.normal(k1, y.shape)
    return *moves, along_the_simplex(k2, a), along_the_simplex(k3, b), jnp.ones_like(epsilon)


def coincident_clouds(dtype):
    x, _, a, _, epsilon = clouds(jax.random.key(0), dtype)
    return x, x, a, a, epsilon


def unbalanced(key, dtype):
    """cost_matrix, a, b, epsilon, rho_a, rho_b."""
    cost, a, b, epsilon = problem(key, dtype)
    return cost, a, 2 * b, epsilon, 2 * epsilon, 3 * epsilon


EXACT = {"differentiable": (0, 1, 2, 3), "directions": problem_directions, "tolerance": 1e-9}
EDGES = {"zero weights": at_zero_weights, "all costs equal": at_equal_points}


CASES = [
    Case(
        "assignment",
        assignment,
        lambda key, dtype: (costs(key, dtype, 5, 6),),
        exemptions={
            "nan_is_honest": "the answer is integer: -1 says it, and test_assignment tests it",
            "gradient_matches_differences": "the answer is integer and piecewise constant",
            "forward_equals_reverse": "the answer is integer and piecewise constant",
            "gradient_finite_at_edges": "the answer is integer and piecewise constant",
        },
    ),
    Case(
        "assignment_cost",
        assignment_cost,
        lambda key, dtype: (costs(key, dtype, 5, 6),),
        differentiable=(0,),
        edges={"all costs equal": lambda dtype: (jnp.ones((4, 4), dtype),)},
    ),
    Case(
        "exact_transport",
        exact_transport,
        lambda key, dtype: problem(key, dtype)[:3],
        output=lambda r: r.cost,
        differentiable=(0, 1, 2),
        directions=lambda key, item: problem_directions(key, (*item, item[0]))[:3],
        edges={
            "zero weights": lambda dtype: at_zero_weights(dtype)[:3],
            "all costs equal": lambda dtype: at_equal_points(dtype)[:3],
        },
    ),
    Case(
        "sinkhorn",
        sinkhorn,
        problem,
        call=lambda cost, a, b, epsilon: sinkhorn(cost, a, b, epsilon=epsilon, tol=1e-12),
        output=lambda r: (r.f, r.g, r.cost, r.plan),
        edges=EDGES,
        **EXACT,
    ),
    Case(
        "sinkhorn_newton",
        sinkhorn_newton,
        problem,
        call=lambda cost, a, b, epsilon: sinkhorn_newton(
            cost, a, b, epsilon=epsilon, tol=1e-12, max_sinkhorn_steps=5
        ),
        output=lambda r: (r.f, r.g, r.cost, r.plan),
        edges=EDGES,
        **EXACT,
    ),
    Case(
        "sinkhorn_divergence",
        sinkhorn_divergence,
        clouds,
        call=lambda x, y, a, b, epsilon: sinkhorn_divergence(
            x, y, a, b, epsilon=epsilon, tol=1e-12, max_steps=20000
        ),
        differentiable=(0, 1, 2, 3, 4),
        output=lambda result: result.value,
        directions=cloud_directions,
        edges={"equal measures": coincident_clouds},
        tolerance=1e-9,
    ),
    Case(
        "unbalanced_sinkhorn_divergence",
        unbalanced_sinkhorn_divergence,
        clouds,
        call=lambda x, y, a, b, epsilon: unbalanced_sinkhorn_divergence(
            x, y, a, 2 * b, epsilon=epsilon, rho=3 * epsilon, tol=1e-12
        ),
        differentiable=(0, 1, 2, 3, 4),
        output=lambda result: result.value,
        directions=cloud_directions,
        edges={"equal measures": coincident_clouds},
        tolerance=1e-9,
    ),
    Case(
        "unbalanced_sinkhorn",
        unbalanced_sinkhorn,
        unbalanced,
        call=lambda cost, a, b, epsilon, rho_a, rho_b: unbalanced_sinkhorn(
            cost, a, b, epsilon=epsilon, rho_a=rho_a, rho_b=rho_b, tol=1e-12
        ),
        output=lambda r: (r.f, r.g, r.cost, r.plan),
        differentiable=(0, 1, 2, 3, 4, 5),
        edges={
            "zero weights": lambda dtype: (*at_zero_weights(dtype), *jnp.asarray([1.0, 2.0], dtype)),
            "all costs equal": lambda dtype: (*at_equal_points(dtype), *jnp.asarray([1.0, 2.0], dtype)),
        },
        tolerance=1e-9,
    ),
]

DATA = {
    "ExactTransportResult": "what exact_transport returns",
    "DivergenceResult": "what sinkhorn_divergence returns",
    "SinkhornResult": "what entropic solvers return",
}
