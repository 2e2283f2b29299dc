"""Cases of scaled gradient descent."""

import jax
import jax.numpy as jnp

from geojax import optim
from tests.conformance.case import Case
from tests.conformance.optim.transforms import transform


def arguments(key, dtype):
    keys = jax.random.split(key)
    gradient, factor = (jax.random.normal(k, (3, 2), dtype) for k in keys)
    return gradient, factor, jnp.asarray(0.5, dtype)


def zero(dtype):
    return jnp.zeros((3, 2), dtype), jnp.zeros((3, 2), dtype), jnp.asarray(0.5, dtype)


CASES = [
    Case(
        "scaled_gradient",
        optim.scaled_gradient,
        arguments,
        call=lambda g, f, damping: optim.scaled_gradient(g, f, damping=damping),
        differentiable=(0, 1, 2),
        edges={"zero factor, damped": zero},
    ),
    transform(
        "scale_by_scaled_gd",
        lambda number: optim.scale_by_scaled_gd(damping=number),
        shapes={"kernel": (3, 2)},
    ),
    Case(
        "small_init",
        optim.small_init,
        lambda key, dtype: (key, jnp.asarray(0.1, dtype)),
        call=lambda key, scale: optim.small_init(key, (3, 2), scale=scale, dtype=scale.dtype),
        differentiable=(1,),
        exemptions={"gradient_finite_at_edges": "it is linear in scale and has no edge"},
    ),
]
