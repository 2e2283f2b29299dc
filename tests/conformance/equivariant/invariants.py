"""Cases of numbers that a group leaves alone."""

import jax
import jax.numpy as jnp

from geojax.equivariant import mds_coordinates, power_sums
from tests.conformance.case import Case

CASES = [
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
