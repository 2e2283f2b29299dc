"""Cases of what projects out the radial part of a step, and of weight normalisation."""

import jax
import jax.numpy as jnp

from geojax import optim
from tests.conformance.case import Case
from tests.conformance.optim.transforms import transform

SMOOTH = {"gradient_finite_at_edges": "a zero weight has no direction, so it is no edge of the domain"}
SHAPES = {"kernel": (3, 2)}


def arguments(key, dtype):
    """An update, a gradient orthogonal to the weight in every channel, the weight."""
    keys = jax.random.split(key, 3)
    update, gradient, weight = (jax.random.normal(k, (4, 2), dtype) for k in keys)
    across = jnp.sum(gradient * weight, axis=0) / jnp.sum(weight * weight, axis=0)
    return update, gradient - across * weight, weight


CASES = [
    Case("project_radial", optim.project_radial, arguments, differentiable=(0, 2), exemptions=SMOOTH),
    Case(
        "weight_norm",
        optim.weight_norm,
        lambda key, dtype: (arguments(key, dtype)[0], jnp.asarray([2.0, 3.0], dtype)),
        differentiable=(0, 1),
        exemptions=SMOOTH,
    ),
    transform(
        "scale_by_adamp", lambda number: optim.scale_by_adamp(b1=number), shapes=SHAPES, differentiable=(1,)
    ),
    transform(
        "scale_by_sgdp",
        lambda number: optim.scale_by_sgdp(momentum=number),
        shapes=SHAPES,
        differentiable=(1,),
    ),
]
