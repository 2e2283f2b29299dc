"""Bounds of sums, products of matrices and convolutions, and of what only moves numbers."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.precision import wide
from geojax._program import jaxprs
from geojax.metanets.makers.boxes import EXACT, RULES, Box, apart, both, ends, midpoint, sign_floor, unit

MOVES = (
    *(
        "broadcast_in_dim",
        "reshape",
        "squeeze",
        "expand_dims",
        "transpose",
        "slice",
        "concatenate",
        "pad",
        "rev",
    ),
    *("copy", "copy_p", "stop_gradient", "optimization_barrier", "split", "real"),
)


@EXACT.register(*MOVES)
def _move(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    return both(eqn, values)


@EXACT.register("gather", "dynamic_slice", "dynamic_update_slice", "scatter")
def _move_by_index(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    places = {"gather": [1], "dynamic_slice": range(1, len(values)), "scatter": [1]}
    for place in places.get(eqn.primitive.name, range(2, len(values))):
        if isinstance(values[place], Box):
            return run.refuse(eqn, "takes an index that depends on an interval")
    return both(eqn, values)


@EXACT.register("sort")
def _sort(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    if len(values) > 1:
        return run.refuse(eqn, "carries other arrays along")
    return both(eqn, values)  # the k-th smallest number is monotone in all of them


@RULES.register("reduce_sum", "cumsum", "reduce_window_sum", "scatter-add", "scatter_add")
def _sum(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    shape = jaxprs.shape(eqn.invars[0])
    name, params = eqn.primitive.name, eqn.params
    if name == "reduce_sum":
        count = math.prod(shape[axis] for axis in params["axes"])
    elif name == "cumsum":
        count = shape[params["axis"]]
    elif name == "reduce_window_sum":
        count = math.prod(params["window_dimensions"])
    else:
        if isinstance(values[1], Box):
            return run.refuse(eqn, "takes an index that depends on an interval")
        count = 1 + math.prod(jaxprs.shape(eqn.invars[2]))
    lowers, uppers = ([end[side] for end in map(ends, values)] for side in (0, 1))
    sizes = [[_size(part) for part in part_of] for part_of in (lowers, uppers)]
    lower, upper, below, above = (jaxprs.evaluate(eqn, operands)[0] for operands in (lowers, uppers, *sizes))
    step = (count + 1) * unit(eqn)
    return apart(eqn, lower, upper, step * below, step * above, sign_floor(below == lower))


def _size(part: Array) -> Array:
    return jnp.abs(part) if jnp.issubdtype(part.dtype, jnp.floating) else part


@RULES.register("dot_general")
def _dot(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    (contract, _), _ = eqn.params["dimension_numbers"]
    count = math.prod(jaxprs.shape(eqn.invars[0])[axis] for axis in contract)
    return _bilinear(eqn, values, count)


@RULES.register("conv_general_dilated")
def _conv(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    spec = eqn.params["dimension_numbers"].rhs_spec
    kernel = jaxprs.shape(eqn.invars[1])
    return _bilinear(eqn, values, math.prod(kernel) // kernel[spec[0]])


def _bilinear(eqn: Any, values: list[Any], count: int) -> list[Box]:
    """Midpoint and radius, which is sharp if one factor is exact; of two boxes also the split by signs.

    The split is sharp where one of two factors has the same sign throughout, as behind a relu; in general the bounds
    are the tighter of the two.
    """
    dtype = wide(eqn.outvars[0].aval.dtype)
    params = {**eqn.params, "precision": jax.lax.Precision.HIGHEST, "preferred_element_type": dtype}

    def product(x: Array, y: Array) -> Array:
        return jaxprs.evaluate(eqn, [x.astype(dtype), y.astype(dtype)], params)[0]

    loss = (count + 4) * unit(eqn)
    (x, dx), (y, dy) = midpoint(values[0]), midpoint(values[1])
    middle = product(x, y)
    if not isinstance(values[0], Box):
        radius, rounding = product(jnp.abs(x), dy), product(jnp.abs(x), loss * (jnp.abs(y) + dy))
        return _around(eqn, middle, radius, rounding)
    if not isinstance(values[1], Box):
        radius, rounding = product(dx, jnp.abs(y)), product(loss * (jnp.abs(x) + dx), jnp.abs(y))
        return _around(eqn, middle, radius, rounding)
    radius = product(jnp.abs(x), dy) + product(dx, jnp.abs(y) + dy)
    rounding = product(loss * (jnp.abs(x) + dx), jnp.abs(y) + dy)
    (box,) = _around(eqn, middle, radius, rounding)
    lower, upper = _by_signs(product, ends(values[0]), ends(values[1]))
    return [Box(jnp.maximum(box.lower, lower - 4 * rounding), jnp.minimum(box.upper, upper + 4 * rounding))]


def _around(eqn: Any, middle: Array, radius: Array, rounding: Array) -> list[Box]:
    rounding = jax.lax.stop_gradient(rounding + 2 * unit(eqn) * radius)
    return apart(eqn, middle - radius, middle + radius, rounding, rounding)


def _by_signs(
    product: Callable[[Array, Array], Array], x: tuple[Array, Array], y: tuple[Array, Array]
) -> tuple[Array, Array]:
    """The bounds of x y+ and of x y-, added: y = y+ + y- with y+ >= 0 and y- <= 0."""
    (xl, xu), (yl, yu) = x, y
    up, down = (lambda z: jnp.maximum(z, 0)), (lambda z: jnp.minimum(z, 0))
    lower = product(up(xl), up(yl)) + product(down(xl), up(yu))
    lower = lower + product(up(xu), down(yl)) + product(down(xu), down(yu))
    upper = product(up(xu), up(yu)) + product(down(xu), up(yl))
    upper = upper + product(up(xl), down(yu)) + product(down(xl), down(yl))
    return lower, upper


@RULES.register("cumlogsumexp")
def _cumlogsumexp(run: Any, eqn: Any, values: list[Any]) -> list[Box]:
    (box,) = both(eqn, values)
    slack = (jaxprs.shape(eqn.invars[0])[eqn.params["axis"]] + 8) * unit(eqn)
    sizes = [slack * (1 + jnp.abs(end)) for end in (box.lower, box.upper)]
    return apart(eqn, box.lower, box.upper, *sizes)
