"""Cases of the norms and of steepest descent under them."""

import jax
import jax.numpy as jnp

from geojax import optim
from tests.conformance.case import Case
from tests.conformance.optim.transforms import transform

SMOOTH = {
    "gradient_finite_at_edges": "the steepest direction jumps where a singular value or an entry is zero"
}


def arguments(key, dtype):
    return jax.random.normal(key, (3, 2), dtype), jnp.asarray(0.5, dtype)


def norm(name):
    """The case of a norm: its step, its dual and the norm of the step."""
    value = getattr(optim, name)()

    def call(g, sharpness):
        step = optim.steepest_step(g, value, sharpness=sharpness)
        return step, value.norm(step), optim.dual_norm(g, value)

    return Case(name, getattr(optim, name), arguments, call=call, differentiable=(0, 1), exemptions=SMOOTH)


def modular(g, sharpness):
    value = optim.ModularNorm((optim.RowNorm(), optim.SpectralNorm()))
    return optim.steepest_step((g, g.T), value, sharpness=sharpness), value.norm((g, g.T))


CASES = [
    *(norm(name) for name in ("MaxNorm", "ColumnNorm", "RowNorm", "SpectralNorm")),
    Case("ModularNorm", optim.ModularNorm, arguments, call=modular, differentiable=(0, 1), exemptions=SMOOTH),
    Case(
        "dual_norm",
        optim.dual_norm,
        arguments,
        call=lambda g, s: optim.dual_norm(s * g, optim.SpectralNorm()),
        differentiable=(0, 1),
        exemptions=SMOOTH,
    ),
    Case(
        "steepest_step",
        optim.steepest_step,
        arguments,
        call=lambda g, s: optim.steepest_step(g, optim.ColumnNorm(), sharpness=s),
        differentiable=(0, 1),
        exemptions=SMOOTH,
    ),
    Case(
        "newton_schulz",
        optim.newton_schulz,
        lambda key, dtype: arguments(key, dtype)[:1],
        call=lambda g: optim.newton_schulz(g, num_steps=6),
        differentiable=(0,),
        exemptions=SMOOTH,
    ),
    transform(
        "steepest_descent",
        lambda rate: optim.steepest_descent(rate, {"kernel": optim.RowNorm(), "point": optim.MaxNorm()}),
    ),
]
