"""The curvature of a hyperbolic model: a positive number c, checked where it is written, NaN where it is computed."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from geojax.typing import Scalar


def check_positive(where: str, c: Any) -> None:
    """Raise ValueError unless a concrete c is positive; traced ones are seen to by `positive`."""
    if not isinstance(c, Tracer) and not np.all(np.asarray(c) > 0):
        raise ValueError(
            f"{where}: c is {c}; expected a positive number, for curvature -c. Use Euclidean() for curvature 0 "
            "and Sphere() for curvature 1."
        )


def positive(c: Scalar, dtype: Any) -> Array:
    """C in the given dtype, NaN unless it is positive: other signs are other geometries."""
    c = jnp.asarray(c, dtype)
    return jnp.where(c > 0, c, jnp.nan)


def minus_c(c: Array, uu: Array, vv: Array, uv: Array) -> Array:
    """Curvature -c of the plane of two vectors with these inner products; NaN where they are parallel."""
    area = uu * vv - uv * uv
    return -c * (area / area)
