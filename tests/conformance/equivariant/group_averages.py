"""Cases of projections on what a group leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np

from geojax.equivariant import reynolds
from tests.conformance.case import Case

SWAP = np.array([[0, 1], [1, 0]])


def permute(g, x):
    return x[g]


CASES = [
    Case(
        "reynolds",
        reynolds,
        lambda key, dtype: (jax.random.normal(key, (2, 2), dtype),),
        call=lambda w: reynolds(permute, permute, SWAP)(w),
        differentiable=(0,),
        edges={"zero": lambda dtype: (jnp.zeros((2, 2), dtype),)},
    ),
    Case(
        "reynolds",
        reynolds,
        lambda key, dtype: (jax.random.normal(key, (2,), dtype),),
        call=lambda x: reynolds(None, permute, SWAP)(x),
        variant="fixed points",
        differentiable=(0,),
        edges={"zero": lambda dtype: (jnp.zeros(2, dtype),)},
    ),
]
