"""Cases of numbers that a group leaves alone."""

import jax
import jax.numpy as jnp

from geojax.equivariant import geometric_hash, mds_coordinates, power_sums
from tests.conformance.case import Case

EDGES = jnp.array([[0, 1], [1, 0]])

CASES = [
    Case(
        "geometric_hash",
        geometric_hash,
        lambda key, dtype: (jax.random.normal(key, (3, 1), dtype),),
        call=lambda x: geometric_hash(x, EDGES, num_steps=1, num=2),
        differentiable=(0,),
        edges={"one spot": lambda dtype: (jnp.zeros((3, 1), dtype),)},
    ),
    Case(
        "mds_coordinates",
        mds_coordinates,
        lambda key, dtype: (jax.random.gamma(key, 2.0, (5, 2), dtype) * jnp.array([1, 3], dtype),),
        call=lambda x: mds_coordinates(x, 2),
        differentiable=(0,),
        output=lambda result: result[0],
        edges={
            "one spot": lambda dtype: (jnp.ones((5, 2), dtype),),
            "equal variances": lambda dtype: (jnp.array([[1, 0], [-1, 0], [0, 1], [0, -1], [0, 0]], dtype),),
        },
    ),
    Case(
        "power_sums",
        power_sums,
        lambda key, dtype: (jax.random.normal(key, (3,), dtype),),
        call=lambda x: power_sums(x, (1, 3)),
        differentiable=(0,),
        edges={"zero": lambda dtype: (jnp.zeros(3, dtype),)},
    ),
]
