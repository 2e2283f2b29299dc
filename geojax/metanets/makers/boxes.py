"""Boxes: a lower and an upper bound for each number of an array, and how rounding widens them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core.precision import wide
from geojax._core.struct import struct
from geojax._program import jaxprs
from geojax._program.walk import Rules


@struct
class Box:
    """Bounds of an array.

    Attributes:
        lower: Lower bounds, in float32 or finer (or booleans).
        upper: Upper bounds.
        value: What the program itself computes here, if it depends on no interval; otherwise None. Then the bounds
            hold what the rounding of that computation may change.
    """

    lower: Any
    upper: Any
    value: Any = None


RULES = Rules()
"""Rules of primitives that round or mix: (run, eqn, values) -> values of the outputs."""

EXACT = Rules()
"""Rules of primitives that round nothing; they are asked only if a value has bounds."""


def known(value: Any) -> bool:
    """Whether a value depends on no interval."""
    return not isinstance(value, Box) or value.value is not None


def plain(value: Any) -> Any:
    """What the program computes here; of a value that is known."""
    return value.value if isinstance(value, Box) else value


def ends(value: Any) -> tuple[Any, Any]:
    """The bounds of a value; an exact array is both of its own."""
    if isinstance(value, Box):
        return value.lower, value.upper
    array = jnp.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(wide(array.dtype))
    return array, array


def unit(eqn: Any) -> float:
    """Twice the largest relative error of one rounding in the type of an equation's output; 0 of integers."""
    if not jnp.issubdtype(eqn.outvars[0].aval.dtype, jnp.floating):
        return 0.0
    return float(jnp.finfo(eqn.outvars[0].aval.dtype).eps)


def outward(
    eqn: Any, lower: Array, upper: Array, slack: Any = 1.0, *, floor: Any = -np.inf, ceil: Any = np.inf
) -> list[Box]:
    """Bounds moved apart by ``slack`` relative roundings of each, but not past ``floor`` and ``ceil``."""
    step = slack * unit(eqn)
    return apart(eqn, lower, upper, step * jnp.abs(lower), step * jnp.abs(upper), floor, ceil)


def apart(
    eqn: Any,
    lower: Array,
    upper: Array,
    below: Array,
    above: Array,
    floor: Any = -np.inf,
    ceil: Any = np.inf,
) -> list[Box]:
    """Bounds moved apart by ``below`` and ``above`` and by what may have been lost to underflow."""
    if not jnp.issubdtype(lower.dtype, jnp.floating):
        return [Box(lower, upper)]
    kind = jnp.finfo(lower.dtype)
    tiny = float(jnp.finfo(eqn.outvars[0].aval.dtype).tiny)
    # A bound that overflowed on the wrong side stands for a number beyond the largest.
    lower = jnp.where(lower == jnp.inf, kind.max, lower) - jax.lax.stop_gradient(below + tiny)
    upper = jnp.where(upper == -jnp.inf, kind.min, upper) + jax.lax.stop_gradient(above + tiny)
    if not isinstance(floor, float) or floor > -np.inf:
        lower = jnp.maximum(lower, jnp.asarray(floor, lower.dtype))
    if not isinstance(ceil, float) or ceil < np.inf:
        upper = jnp.minimum(upper, jnp.asarray(ceil, upper.dtype))
    return [Box(lower, upper)]


def sign_floor(certain: Any) -> Array:
    """A floor of zero where a result is certainly not negative."""
    return jnp.where(certain, 0.0, -jnp.inf)


def both(eqn: Any, values: list[Any]) -> list[Box]:
    """Bounds of an equation that is monotone in every operand and rounds nothing: its values at the bounds."""
    sides = [ends(value) for value in values]
    lowers = jaxprs.evaluate(eqn, [side[0] for side in sides])
    uppers = jaxprs.evaluate(eqn, [side[1] for side in sides])
    return [Box(lower, upper) for lower, upper in zip(lowers, uppers, strict=True)]


def midpoint(value: Any) -> tuple[Array, Array]:
    """Midpoint and radius of a value; the radius covers both bounds whatever the midpoint's rounding."""
    lower, upper = ends(value)
    middle = lower / 2 + upper / 2
    return middle, jnp.maximum(upper - middle, middle - lower)
