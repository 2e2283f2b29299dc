"""Cases of errors of equivariance."""

import jax
import jax.numpy as jnp

from geojax.equivariant import equivariance_error
from tests.conformance.case import Case


def arguments(key, dtype):
    keys = jax.random.split(key)
    return jax.random.normal(keys[0], (2, 2, 2), dtype), jax.random.normal(keys[1], (3, 2), dtype)


def turn(g, x):
    return x @ g.T


DATA = {"ErrorResult": "result of equivariance_error"}

CASES = [
    Case(
        "equivariance_error",
        equivariance_error,
        arguments,
        call=lambda elements, x: equivariance_error(jnp.tanh, turn, turn, elements, x),
        differentiable=(0, 1),
        edges={
            "no error": lambda dtype: (jnp.stack([jnp.eye(2, dtype=dtype)] * 2), jnp.ones((3, 2), dtype)),
            "zeros": lambda dtype: (jnp.zeros((2, 2, 2), dtype), jnp.zeros((3, 2), dtype)),
        },
    ),
]
