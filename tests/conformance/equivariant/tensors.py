"""Cases of products and parts of tensors, multivectors and spherical functions."""

import jax
import jax.numpy as jnp

from geojax import equivariant
from tests.conformance.case import Case


def normal(*shapes):
    """Maker of arguments: one normal array for each shape."""

    def arguments(key, dtype):
        return tuple(
            jax.random.normal(k, shape, dtype) for k, shape in zip(jax.random.split(key, len(shapes)), shapes)
        )

    return arguments


CASES = [
    Case(
        "real_spherical_harmonics",
        equivariant.real_spherical_harmonics,
        normal((3,)),
        call=lambda x: equivariant.real_spherical_harmonics(2, x),
        differentiable=(0,),
        edges={"a pole": lambda dtype: (jnp.asarray([0, 0, -2], dtype),)},
    ),
    Case(
        "gaunt_product",
        equivariant.gaunt_product,
        normal((4,), (9,)),
        call=lambda a, b: equivariant.gaunt_product(a, b, 2),
        differentiable=(0, 1),
        edges={"zero": lambda dtype: (jnp.zeros(4, dtype), jnp.zeros(9, dtype))},
    ),
]

DATA: dict[str, str] = {}
