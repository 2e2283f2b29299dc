"""Cases of averages over frames, and of frames of finite groups."""

import jax
import jax.numpy as jnp

from geojax.equivariant import sampled, symmetrize, whole_group
from tests.conformance.case import Case


def arguments(key, dtype):
    keys = jax.random.split(key)
    matrices = jnp.eye(2, dtype=dtype) + 0.2 * jax.random.normal(keys[0], (2, 2, 2), dtype)
    return matrices, jax.random.normal(keys[1], (3, 2), dtype)


def turn(g, x):
    return x @ g.T


def averaged(elements, x):
    return symmetrize(jnp.tanh, whole_group(elements), turn, turn)(x)


def drawn(elements, x, key):
    return sampled(whole_group(elements), key=key, num=1)(x)


CASES = [
    Case(
        "symmetrize",
        symmetrize,
        arguments,
        call=averaged,
        differentiable=(0, 1),
        edges={
            "zeros": lambda dtype: (jnp.stack([jnp.eye(2, dtype=dtype)] * 2), jnp.zeros((3, 2), dtype)),
        },
    ),
    Case(
        "whole_group",
        whole_group,
        arguments,
        call=lambda elements, x: whole_group(elements)(x),
        differentiable=(0,),
        output=lambda frame: (frame.elements, frame.weights),
        edges={"zeros": lambda dtype: (jnp.zeros((2, 2, 2), dtype), jnp.zeros((3, 2), dtype))},
        nan_arguments=(0,),
    ),
    Case(
        "sampled",
        sampled,
        lambda key, dtype: (*arguments(key, dtype), key),
        call=drawn,
        differentiable=(0,),
        output=lambda frame: (frame.elements, frame.weights),
        edges={
            "zeros": lambda dtype: (
                jnp.zeros((2, 2, 2), dtype),
                jnp.zeros((3, 2), dtype),
                jax.random.key(0),
            )
        },
        exemptions={"nan_is_honest": "a NaN in an element that is not drawn is not seen"},
    ),
]
