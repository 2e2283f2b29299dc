"""Cases of layers for points in space."""

import jax

from geojax import equivariant
from tests.conformance.case import Case, exempt_all

DRAWN = exempt_all("draws parameters from a key alone", but=("docstring", "jit_equals_eager"))


def drawn(name, draw):
    """The case of a function that draws parameters."""
    return Case(name, getattr(equivariant, name), lambda key, dtype: (key,), call=draw, exemptions=DRAWN)


def cast(theta, dtype):
    return jax.tree.map(lambda leaf: leaf.astype(dtype), theta)


def egnn(key):
    return equivariant.egnn_init(1, width=2, velocity=True, key=key)


def egnn_arguments(key, dtype):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    normal = jax.random.normal
    return (
        cast(egnn(k1), dtype),
        normal(k2, (3, 1), dtype),
        normal(k3, (3, 2), dtype),
        normal(k4, (3, 2), dtype),
    )


def coincident(dtype):
    theta, h, x, v = egnn_arguments(jax.random.key(0), dtype)
    return theta, h, 0 * x, 0 * v


CASES = [
    drawn("egnn_init", egnn),
    Case(
        "egnn_layer",
        equivariant.egnn_layer,
        egnn_arguments,
        call=lambda theta, h, x, v: equivariant.egnn_layer(theta, h, x, v=v),
        differentiable=(0, 1, 2, 3),
        edges={"coincident points": coincident},
    ),
]

DATA: dict[str, str] = {}
