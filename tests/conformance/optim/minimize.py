"""Cases of the whole solves: the least eigenvalue of a small matrix, by every method."""

import jax
import jax.numpy as jnp

from geojax import optim
from geojax.manifolds import Sphere
from tests.conformance.case import Case

N = 3


def arguments(key, dtype):
    """A symmetric matrix with well separated eigenvalues, a start, tol."""
    k1, k2 = jax.random.split(key)
    frame = jnp.linalg.qr(jax.random.normal(k1, (N, N)))[0]
    matrix = (frame * jnp.asarray([1.0, 2.0, 4.0])) @ frame.T
    return matrix.astype(dtype), Sphere().random_point(k2, (N,), dtype=dtype), jnp.asarray(1e-7, dtype)


def symmetric(key, item):
    change = jax.random.normal(key, (N, N))
    return (change + change.T,)


# What depends on minimize and not on the method is checked once.
SAME = dict.fromkeys(
    (
        "jit_vmap_commute",
        "shard_map_equals_vmap",
        "pmap_equals_vmap",
        "gradient_matches_differences",
        "forward_equals_reverse",
        "inputs_unchanged",
    ),
    "minimize runs every method, and its own case checks this",
)


def case(name, method, number, exemptions):
    """`method` makes a method of a traced number."""

    def call(matrix, x0, tol):
        return optim.minimize(
            Sphere(),
            lambda x: x @ matrix @ x,
            x0,
            method=method(number * jnp.ones_like(tol)),
            tol=tol,
            max_steps=40,
        )

    return Case(
        name,
        getattr(optim, name),
        arguments,
        call=call,
        differentiable=(0,),
        output=lambda result: (result.value, jnp.outer(result.point, result.point)),
        directions=symmetric,
        nan_arguments=(0, 1),
        tolerance=1e-7,
        exemptions={
            "gradient_finite_at_edges": "a simple eigenvalue is smooth and has no edge",
            **exemptions,
        },
    )


CASES = [
    case("minimize", lambda _: None, 0.0, {}),
    case("TrustRegion", lambda number: optim.TrustRegion(decrease=number), 0.2, SAME),
    case("LBFGS", lambda number: optim.LBFGS(decrease=number, memory=3), 1e-4, SAME),
    case("BarzilaiBorwein", lambda number: optim.BarzilaiBorwein(decrease=number, memory=4), 1e-4, SAME),
]
