"""Cases of specs for data and of what moves with what."""

import jax.numpy as jnp

from geojax import symmetry
from tests.conformance.case import Case, exempt_all

HOST = exempt_all("reads a program on the host and returns static data; it is not a function of arrays")

CASES = [
    Case(
        "declare",
        symmetry.declare,
        lambda key, dtype: (jnp.ones((3, 2), dtype),),
        call=lambda x: symmetry.declare(x, ("points", "space:orthogonal")),
        exemptions=exempt_all(
            "reads shapes on the host and returns static data; it is not a function of arrays"
        ),
    ),
]
