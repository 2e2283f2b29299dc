"""Cases of crystal lattices."""

import jax
import jax.numpy as jnp

from geojax.equivariant import lattice_exp, lattice_log
from tests.conformance.case import Case

CASES = [
    Case(
        "lattice_log",
        lattice_log,
        lambda key, dtype: (3 * jnp.eye(3, dtype=dtype) + jax.random.normal(key, (3, 3), dtype) / 2,),
        differentiable=(0,),
        edges={"a cube": lambda dtype: (2 * jnp.eye(3, dtype=dtype),)},
    ),
    Case(
        "lattice_exp",
        lattice_exp,
        lambda key, dtype: (jax.random.normal(key, (6,), dtype) / 2,),
        differentiable=(0,),
        edges={"zero": lambda dtype: (jnp.zeros(6, dtype),)},
    ),
]
