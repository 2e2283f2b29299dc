"""The curvature -c of a hyperbolic model: a concrete c must be positive, a traced one that is not gives NaN."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from geojax.typing import Scalar


def check_positive(where: str, c: Any) -> None:
    """Raise ValueError unless a concrete c is positive; `positive` handles traced ones."""
    if not isinstance(c, Tracer) and not np.all(np.asarray(c) > 0):
        raise ValueError(
            f"{where}: c is {c}; expected a positive number, for curvature -c. Use Euclidean() for curvature 0 "
            "and Sphere() for curvature 1."
        )


def positive(c: Scalar, dtype: Any) -> Array:
    """The number c in the given dtype, NaN unless it is positive: other signs are other geometries."""
    c = jnp.asarray(c, dtype)
    return jnp.where(c > 0, c, jnp.nan)
