"""Bounds of elementwise operations: monotone ones at the ends, the others by their turning points."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax._core import safe
from geojax._core.precision import wide
from geojax._program import jaxprs
from geojax.metanets.makers.boxes import EXACT, RULES, Box, apart, both, ends, outward, sign_floor

INCREASING = {
    "asin": (-math.inf, math.inf),
    "asinh": (-math.inf, math.inf),
    "atan": (-math.inf, math.inf),
    "cbrt": (-math.inf, math.inf),
    "erf": (-1.0, 1.0),
    "erf_inv": (-math.inf, math.inf),
    "exp": (0.0, math.inf),
    "exp2": (0.0, math.inf),
    "expm1": (-1.0, math.inf),
    "log": (-math.inf, math.inf),
    "log1p": (-math.inf, math.inf),
    "log2": (-math.inf, math.inf),
    "logistic": (0.0, 1.0),
    "sinh": (-math.inf, math.inf),
    "tanh": (-1.0, 1.0),
    "acosh": (0.0, math.inf),
    "atanh": (-math.inf, math.inf),
    "sqrt": (0.0, math.inf),
}
DECREASING = {"acos": (0.0, math.inf), "erfc": (0.0, 2.0), "rsqrt": (0.0, math.inf)}
FUNCTION_SLACK = 8.0  # roundings that the functions of XLA's backends stay within, twice over


@RULES.register(*INCREASING)
def _increasing(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    floor, ceil = INCREASING[eqn.primitive.name]
    (box,) = both(eqn, values)
    if eqn.primitive.name == "sqrt":
        lower, upper = ends(values[0])
        box = Box(safe.sqrt(lower), safe.sqrt(upper))
    return outward(eqn, box.lower, box.upper, FUNCTION_SLACK, floor=floor, ceil=ceil)


@RULES.register(*DECREASING)
def _decreasing(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    floor, ceil = DECREASING[eqn.primitive.name]
    (box,) = both(eqn, values)
    return outward(eqn, box.upper, box.lower, FUNCTION_SLACK, floor=floor, ceil=ceil)


EXACT.register(
    *(
        "max",
        "min",
        "clamp",
        "floor",
        "ceil",
        "round",
        "sign",
        "reduce_max",
        "reduce_min",
        "cummax",
        "cummin",
    ),
    *("and", "or", "reduce_and", "reduce_or", "reduce_window_max", "reduce_window_min"),
)(lambda run, eqn, values: both(eqn, values))


@EXACT.register("neg")
def _neg(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    lower, upper = ends(values[0])
    return [Box(-upper, -lower)]


@EXACT.register("not")
def _not(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    lower, upper = ends(values[0])
    return [Box(~upper, ~lower)]


@EXACT.register("xor")
def _xor(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    certain, result = (a == b) & (c == d), a ^ c
    return [Box(certain & result, ~certain | result)]


@EXACT.register("abs")
def _abs(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    return [Box(*_sizes(values[0]))]


def _sizes(value: Any) -> tuple[Array, Array]:
    """The bounds of |x|."""
    lower, upper = ends(value)
    return jnp.maximum(jnp.maximum(lower, -upper), 0), jnp.maximum(jnp.abs(lower), jnp.abs(upper))


@RULES.register("add", "add_any")
def _add(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    return outward(eqn, a + c, b + d, floor=sign_floor((a >= 0) & (c >= 0)))


@RULES.register("sub")
def _sub(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    return outward(eqn, a - d, b - c)


def _times(x: Array, y: Array) -> Array:
    """The product, where zero times infinity is zero: an infinite bound stands for numbers that are finite."""
    nothing = ((x == 0) & jnp.isinf(y)) | ((y == 0) & jnp.isinf(x))
    return jnp.where(nothing, 0, x * jnp.where(nothing, 1, y))


@RULES.register("mul")
def _mul(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    if eqn.invars[0] is eqn.invars[1]:
        return _square(run, eqn, values[:1])
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    corners = [_times(x, y) for x in _distinct(a, b) for y in _distinct(c, d)]
    positive = ((a >= 0) & (c >= 0)) | ((b <= 0) & (d <= 0))
    return _hull(eqn, corners, sign_floor(positive))


@RULES.register("div")
def _div(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    if not jaxprs.is_float(eqn.outvars[0]):
        return run.refuse(eqn, "divides integers that depend on an interval")
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    pole = (c <= 0) & (d >= 0)
    c, d = (
        (jnp.where(pole, 1, end) for end in _distinct(c, d)) if c is not d else (jnp.where(pole, 1, c),) * 2
    )
    corners = [x / y for x in _distinct(a, b) for y in _distinct(c, d)]
    positive = ((a >= 0) & (c > 0)) | ((b <= 0) & (d < 0))
    (box,) = _hull(eqn, corners, sign_floor(positive))
    broken = jnp.isnan(a) | jnp.isnan(b)
    return [
        Box(
            *(
                jnp.where(pole & ~broken, end, bound)
                for end, bound in ((-jnp.inf, box.lower), (jnp.inf, box.upper))
            )
        )
    ]


def _distinct(lower: Array, upper: Array) -> tuple[Array, ...]:
    return (lower,) if lower is upper else (lower, upper)


def _hull(eqn: Any, corners: list[Array], floor: Any, slack: float = 1.0) -> list[Box]:
    lower = upper = corners[0]
    for corner in corners[1:]:
        lower, upper = jnp.minimum(lower, corner), jnp.maximum(upper, corner)
    return outward(eqn, lower, upper, slack, floor=floor)


@RULES.register("square")
def _square(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    small, large = _sizes(values[0])
    return outward(eqn, small * small, large * large, floor=0.0)


@RULES.register("integer_pow")
def _integer_pow(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    y = eqn.params["y"]
    count = max(2 * abs(y), 2)
    lower, upper = _sizes(values[0]) if y % 2 == 0 else ends(values[0])
    a, b = (jax.lax.integer_pow(end, abs(y)) for end in (lower, upper))
    if y >= 0:
        return outward(eqn, a, b, count, floor=0.0 if y % 2 == 0 else -np.inf)
    pole = (lower <= 0) & (upper >= 0)
    c, d = 1 / jnp.where(pole, 1, b), 1 / jnp.where(pole, 1, a)
    (box,) = outward(eqn, c, d, count + 1)
    least = 1 / jnp.where(b == 0, 1, b) if y % 2 == 0 else -jnp.inf
    least = jnp.maximum(least * (1 - count * jnp.finfo(lower.dtype).eps), 0) if y % 2 == 0 else least
    return [Box(jnp.where(pole, least, box.lower), jnp.where(pole, jnp.inf, box.upper))]


@RULES.register("pow")
def _pow(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    dtype = wide(eqn.outvars[0].aval.dtype)
    # The logarithm is y log x, linear in y and monotone in x, so that its extremes lie at corners. Of a base that may
    # be negative or zero nothing is said.
    bad = ~(a > 0) & ~(jnp.isnan(a) | jnp.isnan(b))
    a, b = jnp.where(bad, 1, a).astype(dtype), jnp.where(bad, 1, b).astype(dtype)
    corners = [jnp.power(x, y.astype(dtype)) for x in (a, b) for y in _distinct(c, d)]
    (box,) = _hull(eqn, corners, 0.0, 16.0)
    return [Box(jnp.where(bad, -jnp.inf, box.lower), jnp.where(bad, jnp.inf, box.upper))]


@RULES.register("cosh")
def _cosh(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    small, large = _sizes(values[0])
    return outward(eqn, jnp.cosh(small), jnp.cosh(large), FUNCTION_SLACK, floor=1.0)


@RULES.register("sin", "cos")
def _wave(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    """Exact: the ends, and the top or the bottom if it may lie between them."""
    lower, upper = ends(values[0])
    top = math.pi / 2 if eqn.primitive.name == "sin" else 0.0
    function = jnp.sin if eqn.primitive.name == "sin" else jnp.cos
    x, y = function(lower), function(upper)
    eps = float(jnp.finfo(lower.dtype).eps)

    def holds(peak: float) -> Array:
        first, last = ((jax.lax.stop_gradient(end) - peak) / (2 * math.pi) for end in (lower, upper))
        return jnp.ceil(first - 4 * eps * (1 + jnp.abs(first))) <= jnp.floor(
            last + 4 * eps * (1 + jnp.abs(last))
        )

    least = jnp.where(holds(top + math.pi), -1, jnp.minimum(x, y))
    most = jnp.where(holds(top), 1, jnp.maximum(x, y))
    slack = FUNCTION_SLACK * float(jnp.finfo(eqn.outvars[0].aval.dtype).eps) * jnp.ones_like(x)
    return apart(eqn, least, most, slack, slack, -1.0, 1.0)


@RULES.register("convert_element_type", "reduce_precision")
def _convert(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    lower, upper = ends(values[0])
    dtype = eqn.outvars[0].aval.dtype
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return run.refuse(eqn, "turns bounds into complex numbers")
    if not jnp.issubdtype(dtype, jnp.floating):
        return [Box(lower.astype(dtype), upper.astype(dtype))]
    return outward(eqn, lower.astype(wide(dtype)), upper.astype(wide(dtype)), 2.0)


@EXACT.register("lt", "le", "gt", "ge", "eq", "ne")
def _compare(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    name = eqn.primitive.name
    (a, b), (c, d) = ends(values[0]), ends(values[1])
    if eqn.invars[0] is eqn.invars[1]:
        same = ~(jnp.isnan(a) | jnp.isnan(b))
        return [same if name in ("le", "ge", "eq") else ~same if name == "ne" else jnp.zeros_like(same)]
    if name in ("gt", "ge"):
        name, (a, b), (c, d) = {"gt": "lt", "ge": "le"}[name], (c, d), (a, b)
    if name == "lt":
        return [Box(b < c, a < d)]
    if name == "le":
        return [Box(b <= c, a <= d)]
    certain, possible = (a == d) & (b == c), (a <= d) & (c <= b)
    return [Box(certain, possible) if name == "eq" else Box(~possible, ~certain)]


@EXACT.register("is_finite")
def _is_finite(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    # Numbers between finite bounds are finite; an infinite bound stands for numbers that may be so.
    return [
        Box(jaxprs.evaluate(eqn, [sum(ends(values[0]))])[0], jnp.ones(jaxprs.shape(eqn.outvars[0]), bool))
    ]


@EXACT.register("select_n")
def _select(run: Any, eqn: Any, values: list[Any]) -> list[Any]:
    which, *cases = values
    if not isinstance(which, Box):
        return both(eqn, values)
    if len(cases) != 2 or which.lower.dtype != jnp.bool_:
        return run.refuse(eqn, "selects by an index with bounds")
    (a, b), (c, d) = ends(cases[0]), ends(cases[1])
    lower = jnp.where(which.lower, c, jnp.where(which.upper, jnp.minimum(a, c), a))
    upper = jnp.where(which.lower, d, jnp.where(which.upper, jnp.maximum(b, d), b))
    return [Box(lower, upper)]
