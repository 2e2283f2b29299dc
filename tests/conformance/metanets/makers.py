"""Cases of what makes parameters, and of bounds on what parameters do."""

import jax
import jax.numpy as jnp

from geojax import metanets
from tests.conformance.case import Case


def boxes(key, dtype):
    """A box of weights, and an input."""
    low, wide, x = jax.random.split(key, 3)
    lower = jax.random.normal(low, (2, 3), dtype)
    return (
        {"w": lower},
        {"w": lower + jax.random.uniform(wide, (2, 3), dtype)},
        jax.random.normal(x, (3,), dtype),
    )


def flat(dtype):
    """A box of width zero at a zero input."""
    return {"w": jnp.ones((2, 3), dtype)}, {"w": jnp.ones((2, 3), dtype)}, jnp.zeros(3, dtype)


CASES = [
    Case(
        "interval",
        metanets.interval,
        boxes,
        call=lambda lower, upper, x: metanets.interval(lambda p, x: jnp.tanh(p["w"] @ x))(lower, upper, x),
        differentiable=(0, 1),
        edges={"width zero": flat},
    ),
]
