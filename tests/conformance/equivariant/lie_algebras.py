"""Cases of continuous symmetries."""

import jax
import jax.numpy as jnp

from geojax.equivariant import lie_equivariance
from tests.conformance.case import Case

CASES = [
    Case(
        "lie_equivariance",
        lie_equivariance,
        lambda key, dtype: (jax.random.normal(key, (8, 2), dtype),),
        call=lambda xs: lie_equivariance(lambda x: jnp.tanh(x @ x), xs, axis_out=None),
        exemptions=dict.fromkeys(
            ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges"),
            "documented as not differentiated: the basis jumps where the dimension does",
        ),
        tolerance=1e-9,
    ),
]
DATA = {"LieResult": "the value that lie_equivariance returns"}
