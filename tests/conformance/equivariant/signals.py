"""Cases of layers and resampling for signals on grids."""

import jax
import numpy as np

from geojax import equivariant
from tests.conformance.case import Case, exempt_all

P2 = np.stack([np.eye(2, dtype=int), -np.eye(2, dtype=int)])
DRAWN = exempt_all("draws parameters from a key alone", but=("docstring", "jit_equals_eager"))
LINEAR = {"gradient_finite_at_edges": "a linear map has no edge"}


def init(key):
    return equivariant.spectral_group_init(1, 2, modes=1, group=P2, key=key)


def arguments(key, dtype):
    """theta, f."""
    one, two = jax.random.split(key)
    return {"kernel": init(one)["kernel"].astype(dtype)}, jax.random.normal(two, (4, 4, 2, 1), dtype)


CASES = [
    Case(
        "bandlimited_resample",
        equivariant.bandlimited_resample,
        lambda key, dtype: (jax.random.normal(key, (4, 2), dtype),),
        call=lambda x: equivariant.bandlimited_resample(x, 6),
        differentiable=(0,),
        exemptions=LINEAR,
    ),
    Case(
        "spectral_group_init",
        equivariant.spectral_group_init,
        lambda key, dtype: (key,),
        call=init,
        exemptions=DRAWN,
    ),
    Case(
        "spectral_group_conv",
        equivariant.spectral_group_conv,
        arguments,
        call=lambda theta, f: equivariant.spectral_group_conv(theta, f, group=P2),
        differentiable=(0, 1),
        exemptions=LINEAR,
    ),
    Case(
        "lift_field",
        equivariant.lift_field,
        lambda key, dtype: (jax.random.normal(key, (2, 2, 1), dtype),),
        call=lambda u: equivariant.lift_field(u, group=P2),
        differentiable=(0,),
        exemptions=LINEAR,
    ),
    Case(
        "project_field",
        equivariant.project_field,
        lambda key, dtype: (jax.random.normal(key, (2, 2, 2, 1), dtype),),
        differentiable=(0,),
        exemptions=LINEAR,
    ),
]

DATA: dict[str, str] = {}
