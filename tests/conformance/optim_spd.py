"""Cases of momentum on positive definite matrices."""

import jax
import jax.numpy as jnp

from geojax import optim
from tests.conformance.case import Case


def arguments(key, dtype):
    """A factor, a momentum, a gradient, a rate."""
    k1, k2, k3 = jax.random.split(key, 3)
    factor = jnp.eye(2, dtype=dtype) + 0.3 * jax.random.normal(k1, (2, 2), dtype)
    momentum, gradient = (jax.random.normal(k, (2, 2), dtype) for k in (k2, k3))
    return factor, momentum, gradient + gradient.T, jnp.asarray(0.1, dtype)


def structure(name):
    function = getattr(optim, name)
    return Case(
        name,
        function,
        lambda key, dtype: arguments(key, dtype)[1:2],
        # Whatever the structure reads of its argument, a NaN in any entry reaches some product.
        call=lambda z: function(z @ jnp.ones_like(z)),
        differentiable=(0,),
        edges={"zero": lambda dtype: (jnp.zeros((2, 2), dtype),)},
    )


CASES = [
    *(structure(name) for name in ("symmetric_structure", "diagonal_structure", "triangular_structure")),
    Case(
        "generalized_normal_coords",
        optim.generalized_normal_coords,
        lambda key, dtype: arguments(key, dtype)[:2],
        differentiable=(0, 1),
        edges={"zero coordinates": lambda dtype: (jnp.eye(2, dtype=dtype), jnp.zeros((2, 2), dtype))},
    ),
    Case(
        "spd_momentum_step",
        optim.spd_momentum_step,
        arguments,
        call=lambda a, m, g, rate: optim.spd_momentum_step(a, m, g, learning_rate=rate),
        differentiable=(0, 1, 2, 3),
        edges={
            "no gradient": lambda dtype: (
                jnp.eye(2, dtype=dtype),
                *(jnp.zeros((2, 2), dtype) for _ in range(2)),
                jnp.asarray(0.1, dtype),
            )
        },
    ),
]
