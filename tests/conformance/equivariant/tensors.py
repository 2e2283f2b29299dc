"""Cases of products and parts of tensors, multivectors and spherical functions."""

import jax
import jax.numpy as jnp

from geojax import equivariant
from tests.conformance.case import Case, exempt_all


def normal(*shapes):
    """Maker of arguments: one normal array for each shape."""

    def arguments(key, dtype):
        return tuple(
            jax.random.normal(k, shape, dtype) for k, shape in zip(jax.random.split(key, len(shapes)), shapes)
        )

    return arguments


DRAWN = exempt_all("draws parameters from a key alone", but=("docstring", "jit_equals_eager"))


def attention(key):
    return equivariant.geometric_attention_init(1, width=2, key=key)


def attended(key, dtype):
    """theta, points, values."""
    k1, k2, k3 = jax.random.split(key, 3)
    theta = jax.tree.map(lambda leaf: leaf.astype(dtype), attention(k1))
    return theta, jax.random.normal(k2, (3, 3), dtype), jax.random.normal(k3, (3, 1), dtype)


def in_the_centre(dtype):
    theta, points, values = attended(jax.random.key(0), dtype)
    return theta, 0 * points, values


LINEAR = {"gradient_finite_at_edges": "a linear map has no edge"}


def linear(name, shape):
    """The case of a linear map of one array."""
    return Case(name, getattr(equivariant, name), normal(shape), differentiable=(0,), exemptions=LINEAR)


CASES = [
    linear("mandel", (3, 3, 3, 3)),
    linear("from_mandel", (6, 6)),
    linear("harmonic_split", (3, 3, 3, 3)),
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
    Case(
        "geometric_product",
        equivariant.geometric_product,
        normal((8,), (8,)),
        call=lambda a, b: equivariant.geometric_product(a, b, signature=(1, -1, 0)),
        differentiable=(0, 1),
        edges={"zero": lambda dtype: (jnp.zeros(8, dtype),) * 2},
    ),
    Case(
        "geometric_attention_init",
        equivariant.geometric_attention_init,
        lambda key, dtype: (key,),
        call=attention,
        exemptions=DRAWN,
    ),
    Case(
        "geometric_attention",
        equivariant.geometric_attention,
        attended,
        differentiable=(0, 1, 2),
        edges={"in the centre": in_the_centre},
    ),
]

DATA: dict[str, str] = {}
