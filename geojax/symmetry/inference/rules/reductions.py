"""Rules of operations along an axis: sums, extremes, running sums, sorting, transforms."""

from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.axes import Label, Uniform, terminals
from geojax.symmetry.inference.labels.interpreter import Interpreter, rule
from geojax.symmetry.inference.labels.values import Points, Value

REDUCTIONS = {
    "reduce_sum": (arithmetic.LINEAR, "is summed"),
    **dict.fromkeys(("reduce_max", "reduce_min"), (arithmetic.HOMOGENEOUS, "is reduced to an extreme")),
    **dict.fromkeys(
        ("reduce_prod", "reduce_and", "reduce_or", "reduce_xor"), (arithmetic.NONLINEAR, "is reduced")
    ),
}


@rule(*REDUCTIONS)
def reduction(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """An axis is summed, or reduced in another way, and the result does not have it."""
    how, _ = REDUCTIONS[eqn.primitive.name]
    gone = eqn.params["axes"]
    for axis in gone:
        interpreter.total(value.axes[axis], how)
    kept = Value(tuple(label for i, label in enumerate(value.axes) if i not in gone), whole=value.whole)
    interpreter.eliminate([value.axes[i] for i in gone], kept.axes)
    return interpreter.transform(eqn, kept, how)


@rule("argmax", "argmin")
def arg_extreme(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Positions of extremes: they move with the axis, which is held if entries may be equal."""
    (dim,) = eqn.params["axes"]
    kept = Value(tuple(label for i, label in enumerate(value.axes) if i != dim), whole=value.whole)
    points = positions(interpreter, eqn, value.axes, dim)
    result = interpreter.transform(eqn, kept, arithmetic.NONLINEAR)
    result.points = points
    return result


def positions(interpreter: Interpreter, eqn: Any, axes: Sequence[Label], dim: int) -> tuple[Points, ...]:
    """What the positions that an operation chooses along an axis point along; nothing if the axis is held.

    It is held if two entries may be equal, since the operation then chooses by their places.
    """
    if not interpreter.chooses(eqn) or any(isinstance(factor, Uniform) for factor in terminals(axes[dim])):
        interpreter.hold(
            axes, [dim], interpreter.why(eqn, "is chosen from by position where entries are equal")
        )
        return ()
    why = interpreter.why(eqn, "is turned into a position that is used as a number")
    label = interpreter.domain.stop(interpreter.collapse(axes[dim], why))
    interpreter.eliminate([label], [other for k, other in enumerate(axes) if k != dim])
    return (Points(label, why),)


SCANS = {
    "cumsum": arithmetic.LINEAR,
    "cummax": arithmetic.HOMOGENEOUS,
    "cummin": arithmetic.HOMOGENEOUS,
    "cumprod": arithmetic.NONLINEAR,
    "cumlogsumexp": arithmetic.NONLINEAR,
    "rev": arithmetic.LINEAR,
    "sort": arithmetic.HOMOGENEOUS,
    "fft": arithmetic.LINEAR,
}


@rule("cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp")
def cumulative(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Running sums, products and extremes: the axis is held."""
    return mixed(interpreter, eqn, value, [eqn.params["axis"]], "is accumulated in order")


@rule("rev")
def reverse(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Entries in reverse order: the axis is held."""
    return mixed(interpreter, eqn, value, eqn.params["dimensions"], "is reversed")


@rule("fft")
def fft(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Fourier transforms: the axes are held."""
    rank = len(value.axes)
    count = len(eqn.params["fft_lengths"])
    return mixed(interpreter, eqn, value, range(rank - count, rank), "is Fourier transformed")


def mixed(interpreter: Interpreter, eqn: Any, value: Value, dims: Sequence[int], text: str) -> Value:
    """The value of an operation that mixes entries along some axes: these are held, before and after."""
    why = interpreter.why(eqn, text)
    shape = jaxprs.shape(eqn.outvars[0])
    axes = list(value.axes)
    interpreter.hold(axes, dims, why)
    for dim in dims:
        axes[dim] = interpreter.fixed(shape[dim], why)
    return interpreter.transform(eqn, Value(tuple(axes), whole=value.whole), SCANS[eqn.primitive.name])


@rule("sort")
def sort(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Rows in order. If all arrays are keys the order of the rows does not matter, nor if the first keys all differ."""
    dim = eqn.params["dimension"]
    why = interpreter.why(eqn, "is sorted")
    shape = jaxprs.shape(eqn.invars[0])
    how = arithmetic.HOMOGENEOUS if len(values) == 1 else arithmetic.NONLINEAR
    if eqn.params["num_keys"] == len(values):
        return ranked(interpreter, eqn, values, dim, shape[dim], how)
    if not interpreter.chooses(eqn):
        for value in values:
            interpreter.hold(value.axes, [dim], why)
    axes = list(interpreter.align(values, shape, why))
    interpreter.domain.stop(axes[dim])
    interpreter.eliminate([axes[dim]], [*axes[:dim], *axes[dim + 1 :]])
    axes[dim] = interpreter.fixed(shape[dim], why)
    return [interpreter.transform(eqn, Value(tuple(axes), whole=v.whole), how) for v in values]


@rule("top_k", "approx_top_k")
def top_k(interpreter: Interpreter, eqn: Any, value: Value, *_: Value) -> list[Value]:
    """The largest entries, and their positions, which move with the axis; it is held if entries may be equal."""
    dim = eqn.params.get("axis", eqn.params.get("reduction_dimension", -1)) % len(value.axes)
    size = jaxprs.shape(eqn.outvars[0])[dim]
    if eqn.primitive.name == "top_k" and not interpreter.cursor.wanted[1]:
        return [*ranked(interpreter, eqn, [value], dim, size, arithmetic.HOMOGENEOUS), Value(())]
    points = positions(interpreter, eqn, value.axes, dim)
    rank = interpreter.fixed(size, interpreter.why(eqn, "is ranked"))
    axes = (*value.axes[:dim], rank, *value.axes[dim + 1 :])
    kept = interpreter.transform(eqn, Value(axes, whole=value.whole), arithmetic.HOMOGENEOUS)
    places = interpreter.transform(eqn, Value(axes, whole=value.whole), arithmetic.NONLINEAR)
    places.points = points
    return [kept, places]


def ranked(
    interpreter: Interpreter, eqn: Any, values: Sequence[Value], dim: int, size: int, how: Any
) -> list[Value]:
    """Arrays sorted along an axis: a symmetric function of its entries, whose result has a held axis instead."""
    why = interpreter.why(eqn, "is sorted")
    axes = interpreter.align(values, jaxprs.shape(eqn.invars[0]), why)
    interpreter.total(axes[dim], how)
    kept = (*axes[:dim], *axes[dim + 1 :])
    interpreter.eliminate([axes[dim]], kept)
    ordered = (*axes[:dim], interpreter.fixed(size, why), *axes[dim + 1 :])
    return [interpreter.transform(eqn, Value(ordered, whole=value.whole), how) for value in values]
