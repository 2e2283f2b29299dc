"""Cases of preconditioners in Lie groups."""

import jax
import jax.numpy as jnp
import optax

from geojax import optim
from tests.conformance.case import OPTIMISER, Case

SMOOTH = {"gradient_finite_at_edges": "where a probe and its product vanish there is no step"}
STATE = {**SMOOTH, **OPTIMISER}


def arguments(key, dtype):
    """A probe, its product, a rate."""
    v, h = jax.random.normal(key, (2, 2, 2), dtype)
    return v, h, jnp.asarray(0.3, dtype)


def group(name, **sizes):
    """The case of a group: a step from the identity and the criterion after it."""
    value = getattr(optim, name)(**sizes)

    def call(v, h, rate):
        q = optim.group_step(value, value.identity(v), v, h, rate=rate)
        return q, optim.psgd_criterion(value, q, v, h), value.act_transposed(q, v)

    return Case(name, getattr(optim, name), arguments, call=call, differentiable=(0, 1, 2), exemptions=STATE)


def fitted(key, params, rate):
    """Two updates of a quartic bowl."""
    gradient = jax.grad(lambda x: jnp.sum(x**4) + jnp.sum(x) ** 2)
    optimiser = optim.scale_by_psgd(optim.KroneckerGroup(), key=key, rate=rate)
    state = optimiser.init(params)
    for _ in range(2):
        updates, state = optimiser.update(gradient(params), state, params, gradient=gradient)
        params = optax.apply_updates(params, jax.tree.map(lambda u: -0.1 * u, updates))
    return params


CASES = [
    *(group(name) for name in ("DiagonalGroup", "TriangularGroup", "KroneckerGroup", "XMatrixGroup")),
    group("LowRankGroup", rank=1),
    Case(
        "psgd_criterion",
        optim.psgd_criterion,
        lambda key, dtype: arguments(key, dtype)[:2],
        call=lambda v, h: optim.psgd_criterion(optim.DiagonalGroup(), 2 * jnp.ones_like(v), v, h),
        differentiable=(0, 1),
        exemptions=SMOOTH,
    ),
    Case(
        "group_step",
        optim.group_step,
        arguments,
        call=lambda v, h, rate: optim.group_step(
            optim.TriangularGroup(), jnp.eye(4, dtype=v.dtype), v, h, rate=rate
        ),
        differentiable=(0, 1, 2),
        exemptions=SMOOTH,
    ),
    Case(
        "scale_by_psgd",
        optim.scale_by_psgd,
        lambda key, dtype: (key, jax.random.normal(key, (2, 2), dtype), jnp.asarray(0.3, dtype)),
        call=fitted,
        differentiable=(1, 2),
        exemptions=STATE,
    ),
]
