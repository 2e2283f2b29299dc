"""Cases of momentum on positive definite matrices."""

from functools import partial

import jax
import jax.numpy as jnp

from geojax import optim
from tests.conformance.case import OPTIMISER, Case


def arguments(key, dtype):
    """A factor, a momentum, a gradient, a rate."""
    k1, k2, k3 = jax.random.split(key, 3)
    factor = jnp.eye(2, dtype=dtype) + 0.3 * jax.random.normal(k1, (2, 2), dtype)
    momentum, gradient = (jax.random.normal(k, (2, 2), dtype) for k in (k2, k3))
    return factor, momentum, gradient + gradient.T, jnp.asarray(0.1, dtype)


def still(dtype):
    return jnp.eye(2, dtype=dtype), *(jnp.zeros((2, 2), dtype) for _ in range(2)), jnp.asarray(0.1, dtype)


def preconditioned(side, gradient, moment, rate):
    """Two updates."""
    optimiser = optim.scale_by_inverse_free_kfac(rate=rate)
    state = optimiser.init(gradient)
    for _ in range(2):
        update, state = optimiser.update(gradient, state, curvature=(side @ side.T, moment))
    return update


def structure(name, **sizes):
    function = partial(getattr(optim, name), **sizes)
    return Case(
        name,
        getattr(optim, name),
        lambda key, dtype: arguments(key, dtype)[1:2],
        # Whatever the structure reads of its argument, a NaN in any entry reaches some product.
        call=lambda z: function(z @ jnp.ones_like(z)),
        differentiable=(0,),
        edges={"zero": lambda dtype: (jnp.zeros((2, 2), dtype),)},
    )


CASES = [
    *(structure(name) for name in ("symmetric_structure", "diagonal_structure", "triangular_structure")),
    structure("hierarchical_structure", first=1),
    Case(
        "kronecker_normal_coords",
        optim.kronecker_normal_coords,
        lambda key, dtype: arguments(key, dtype)[:2],
        call=lambda a, z: optim.kronecker_normal_coords((a, a), (z, z)),
        differentiable=(0, 1),
        edges={"zero coordinates": lambda dtype: (jnp.eye(2, dtype=dtype), jnp.zeros((2, 2), dtype))},
    ),
    Case(
        "kronecker_momentum_step",
        optim.kronecker_momentum_step,
        arguments,
        call=lambda a, m, g, rate: optim.kronecker_momentum_step(
            (a, a), (m, m), (g, 2 * g), learning_rate=rate
        ),
        differentiable=(0, 1, 2, 3),
        edges={"no gradient": still},
    ),
    Case(
        "scale_by_inverse_free_kfac",
        optim.scale_by_inverse_free_kfac,
        arguments,
        call=preconditioned,
        differentiable=(0, 1, 2, 3),
        edges={"no gradient": still},
        exemptions=OPTIMISER,
    ),
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
        edges={"no gradient": still},
    ),
]
