"""Rules of operations that move, join and divide axes without computing anything."""

import itertools
import math
from typing import Any

from geojax._program import jaxprs
from geojax.symmetry.inference.labels.axes import (
    STACK_LIMIT,
    Label,
    Reason,
    Stack,
    Sum,
    length,
    resolve,
    uniform,
)
from geojax.symmetry.inference.labels.interpreter import Interpreter, rule
from geojax.symmetry.inference.labels.values import Value


@rule("broadcast_in_dim")
def broadcast(interpreter: Interpreter, eqn: Any, value: Value, *_: Value) -> Value:
    """New axes are uniform."""
    shape, dims = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    axes = [uniform(n) for n in shape]
    for axis, dim in enumerate(dims):
        if length(value.axes[axis]) == shape[dim]:
            axes[dim] = value.axes[axis]
    return Value(tuple(axes), scalar=value.scalar, whole=value.whole, unit=value.unit)


@rule("tile")
def tile(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """An axis repeated k times is the product of a uniform axis of length k and itself."""
    axes = tuple((*uniform(k), *label) for k, label in zip(eqn.params["reps"], value.axes, strict=True))
    return Value(axes, scalar=value.scalar, whole=value.whole)


@rule("transpose")
def transpose(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Axes change places."""
    axes = tuple(value.axes[i] for i in eqn.params["permutation"])
    return Value(axes, scalar=value.scalar, whole=value.whole, unit=value.unit)


@rule("squeeze")
def squeeze(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Axes of length one are removed."""
    gone = eqn.params["dimensions"]
    axes = tuple(label for i, label in enumerate(value.axes) if i not in gone)
    return Value(axes, scalar=value.scalar, whole=value.whole)


@rule("reshape")
def reshape(interpreter: Interpreter, eqn: Any, value: Value, *_: Value) -> Value:
    """Factors are regrouped, separately for each smallest run of axes with the same total size before and after."""
    old, new = list(value.shape), list(jaxprs.shape(eqn.outvars[0]))
    why = interpreter.why(eqn, "is regrouped across its factors")
    axes: list[Label] = []
    i = j = 0
    while i < len(old) or j < len(new):
        before, after = old[i : i + 1], new[j : j + 1]
        start, first = i, j
        i, j = i + len(before), j + len(after)
        while math.prod(before) != math.prod(after):
            if math.prod(before) < math.prod(after):
                before.append(old[i])
                i += 1
            else:
                after.append(new[j])
                j += 1
        merged = tuple(factor for label in value.axes[start:i] for factor in label)
        groups = interpreter.regroup(merged, new[first:j], why)
        if groups is None:
            interpreter.hold(value.axes, range(start, i), why)
            groups = [interpreter.fixed(n, why) for n in new[first:j]]
        axes += groups
    return Value(tuple(axes), scalar=value.scalar, whole=value.whole)


@rule("concatenate")
def concatenate(interpreter: Interpreter, eqn: Any, *values: Value) -> Value:
    """Pieces laid one after another."""
    dim = eqn.params["dimension"]
    return join_along(interpreter, eqn, list(values), dim)


def join_along(interpreter: Interpreter, eqn: Any, values: list[Value], dim: int) -> Value:
    """The value of arrays laid one after another along an axis.

    Arrays of length one along it keep labels of their own for their other axes.
    """
    pieces = tuple(value.axes[dim] for value in values if length(value.axes[dim]) > 0)
    known = {value.scalar for value in values}
    same = len(known) == 1 and None not in known
    total = sum(length(piece) for piece in pieces)
    if not same and total == len(pieces) == len(values) and 1 < total <= STACK_LIMIT:
        return _side_by_side(interpreter, eqn, values, dim)
    if same or len(pieces) == 1:
        along = uniform(total) if same else pieces[0]
    else:
        along = (Sum(pieces),)
    rest = [
        Value(value.axes[:dim] + value.axes[dim + 1 :], value.scalar, whole=value.whole) for value in values
    ]
    merged = interpreter.alternatives(rest, interpreter.why(eqn, "is matched across concatenated arrays"))
    axes = (*merged.axes[:dim], along, *merged.axes[dim:])
    return Value(axes, scalar=values[0].scalar if same else None, whole=merged.whole)


def _side_by_side(interpreter: Interpreter, eqn: Any, values: list[Value], dim: int) -> Value:
    """Joins arrays of length one along an axis: the labels of the other axes depend on the index along it."""
    index = interpreter.listed(len(values), interpreter.why(eqn, "has its entries put side by side"))
    axes: list[Label] = []
    for k, size in enumerate(jaxprs.shape(eqn.outvars[0])):
        choices = tuple(resolve(value.axes[k]) for value in values)
        if k == dim:
            axes.append((index,))
        elif all(choice == choices[0] for choice in choices) or size == 1:
            axes.append(choices[0])
        else:
            axes.append((Stack(index, choices),))
    return Value(tuple(axes), whole=interpreter.common_whole(values))


@rule("pad")
def pad(interpreter: Interpreter, eqn: Any, value: Value, filler: Value) -> Value:
    """Padding before and after the entries gives a sum of pieces; between entries, or if cropped, the axis is held."""
    axes = []
    for k, (label, (low, high, interior)) in enumerate(
        zip(value.axes, eqn.params["padding_config"], strict=True)
    ):
        size = length(label)
        total = size + low + high + interior * max(size - 1, 0)
        if (low, high, interior) == (0, 0, 0):
            axes.append(label)
        elif interior == 0 and low >= 0 and high >= 0:
            pieces = [uniform(low) if low else None, label, uniform(high) if high else None]
            axes.append((Sum(tuple(piece for piece in pieces if piece is not None)),))
        else:
            why = interpreter.why(eqn, "is padded between its entries or cropped")
            interpreter.hold(value.axes, [k], why)
            axes.append(interpreter.fixed(total, why))
    why = interpreter.why(eqn, "is padded with a number")
    whole = interpreter.alternatives([Value(tuple(axes), whole=value.whole), filler], why)
    return Value(tuple(axes), whole=whole.whole)


@rule("slice")
def slice_(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """A box of entries."""
    starts, stops = eqn.params["start_indices"], eqn.params["limit_indices"]
    strides = eqn.params["strides"] or (1,) * len(starts)
    return take(interpreter, eqn, value, list(zip(starts, stops, strides, strict=True)))


def take(interpreter: Interpreter, eqn: Any, value: Value, ranges: list[tuple[int, int, int]]) -> Value:
    """The value of a box of an array: along each axis the range (start, stop, stride)."""
    why = interpreter.why(eqn, "has entries read by their position")
    interpreter.picks = []
    axes = []
    for k, (label, (start, stop, stride)) in enumerate(zip(value.axes, ranges, strict=True)):
        sliced = stretch(interpreter, label, start, stop, stride, why)
        if sliced is None:
            interpreter.hold(value.axes, [k], why)
            sliced = interpreter.fixed(len(range(start, stop, stride)), why)
        axes.append(sliced)
    axes = [interpreter.pick_up(label) for label in axes]
    return Value(tuple(axes), scalar=value.scalar, whole=value.whole)


def stretch(
    interpreter: Interpreter, label: Label, start: int, stop: int, stride: int, why: Reason
) -> Label | None:
    """The label of the entries start, start + stride, ... of an axis; None if they cut across factors."""
    size = length(label)
    if stride == 1 or stop - start <= stride:
        return interpreter.part(label, start, stop if stride == 1 else start + 1)
    if size % stride or start >= stride or len(range(start, stop, stride)) != size // stride:
        return None
    groups = interpreter.regroup(label, (size // stride, stride), why)
    if groups is None or interpreter.part(groups[1], start, start + 1) is None:
        return None
    return groups[0]


@rule("split")
def split(interpreter: Interpreter, eqn: Any, value: Value) -> list[Value]:
    """Slices one after another."""
    axis, sizes = eqn.params["axis"], [int(n) for n in eqn.params["sizes"]]
    whole = [(0, n, 1) for n in value.shape]
    edges = itertools.accumulate(sizes, initial=0)
    ranges = [(start, stop, 1) for start, stop in itertools.pairwise(edges)]
    return [take(interpreter, eqn, value, [*whole[:axis], r, *whole[axis + 1 :]]) for r in ranges]


@rule("unstack")
def unstack(interpreter: Interpreter, eqn: Any, value: Value) -> list[Value]:
    """Slices of length one, without their axis."""
    axis = eqn.params["axis"]
    whole = [(0, n, 1) for n in value.shape]
    values = []
    for i in range(len(eqn.outvars)):
        row = take(interpreter, eqn, value, [*whole[:axis], (i, i + 1, 1), *whole[axis + 1 :]])
        row.axes = row.axes[:axis] + row.axes[axis + 1 :]
        values.append(row)
    return values


@rule("stack")
def stack(interpreter: Interpreter, eqn: Any, *values: Value) -> Value:
    """Arrays side by side along a new axis."""
    axis = eqn.params["axis"]
    lifted = [Value((*v.axes[:axis], (), *v.axes[axis:]), v.scalar, whole=v.whole) for v in values]
    return join_along(interpreter, eqn, lifted, axis)
