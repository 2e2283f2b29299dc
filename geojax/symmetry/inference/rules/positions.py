"""Second rules, for whole numbers that are positions along an axis: they move with it.

An index of the largest entry, a rank, or a count of the entries is a position (`Value.points`). Where the axis moves as
``new[i] = old[perm[i]]``, position p becomes the i with ``perm[i] = p``, and these operations give results that move
accordingly: positions compared with others, read or written at, put in another order, or bent back into a range that
they never leave. Every other use is that of a number, and holds the axis.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from geojax._program import jaxprs
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.axes import Label, Reason, length, uniform
from geojax.symmetry.inference.labels.interpreter import RULES, Interpreter
from geojax.symmetry.inference.labels.points import rule, spend
from geojax.symmetry.inference.labels.values import Points, Value
from geojax.symmetry.inference.rules.elementwise import FOLD, holds
from geojax.symmetry.inference.rules.indexing import cut_out, read, write


def plain(value: Value) -> Value:
    """The value without what its entries are positions along."""
    return dataclasses.replace(value, points=())


def pointer(value: Value) -> Points | None:
    """What all entries of an array are positions along, or None."""
    return value.points[0] if len(value.points) == 1 else None


def joined(interpreter: Interpreter, pointers: Sequence[Points | None], why: Reason) -> Points | None:
    """What positions of several arrays point along together, or None if it is not one axis."""
    first = pointers[0]
    if first is None:
        return None
    label = first.label
    for other in pointers[1:]:
        if other is None or other.offset != first.offset or length(other.label) != length(first.label):
            return None
    for other in pointers[1:]:
        assert other is not None
        label = interpreter.unify(label, other.label, why)
    return dataclasses.replace(first, label=label)


@rule("copy", "copy_p", "stop_gradient", "device_put", "name", "optimization_barrier", "sharding_constraint")
@rule("broadcast_in_dim", "reshape", "transpose", "squeeze", "slice")
def moved(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value] | None:
    """Positions in another order or shape."""
    still = eqn.primitive.name not in ("broadcast_in_dim", "reshape", "transpose", "squeeze", "slice")
    if not still and any(len(value.points) > 1 for value in values):
        return None
    outputs = RULES[eqn.primitive.name](interpreter, eqn, *map(plain, values))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for value, output in zip(values, outputs, strict=False):
        output.points = value.points
        output.counted = value.counted and eqn.primitive.name != "slice"
    return outputs


@rule("convert_element_type")
def converted(interpreter: Interpreter, eqn: Any, value: Value) -> Value | None:
    """Another type of whole numbers that holds all positions."""
    dtype = eqn.params["new_dtype"]
    for points in value.points:
        if points is not None:
            largest = points.offset + length(points.label) - 1
            if not holds(dtype, largest, points.offset):
                return None
    return dataclasses.replace(plain(value), points=value.points)


@rule("add", "sub")
def shifted(interpreter: Interpreter, eqn: Any, first: Value, second: Value) -> Value | None:
    """Positions and a known number, which may be taken off again."""
    if second.points and eqn.primitive.name == "add":
        first, second = second, first
    points = pointer(first)
    if points is None or second.points or second.scalar is None:
        return None
    if first.shape != jaxprs.shape(eqn.outvars[0]):
        return None
    step = int(second.scalar) * (-1 if eqn.primitive.name == "sub" else 1)
    moved_on = dataclasses.replace(points, offset=points.offset + step)
    return Value(first.axes, points=(moved_on,), counted=first.counted)


@rule("eq", "ne", "lt", "le", "gt", "ge")
def compared(interpreter: Interpreter, eqn: Any, first: Value, second: Value) -> Value | None:
    """Positions along one axis, compared with each other; or with a number that decides it for all of them."""
    shape = jaxprs.shape(eqn.outvars[0])
    name = eqn.primitive.name
    if first.points and second.points:
        if name not in ("eq", "ne"):
            return None
        why = interpreter.why(eqn, "is compared by positions")
        both = joined(interpreter, [pointer(first), pointer(second)], why)
        if both is None:
            return None
        result = interpreter.combine(eqn, [plain(first), plain(second)], arithmetic.NARY[name])
        interpreter.record((*result.axes, both.label))
        result.unit = name == "eq" and first.counted and second.counted
        return result
    points, number = (pointer(first), second.scalar) if first.points else (pointer(second), first.scalar)
    if points is None or number is None:
        return None
    least, most = points.offset, points.offset + length(points.label) - 1
    if name in ("eq", "ne") and least <= number <= most:
        return None
    pairs = [(end, number) if first.points else (number, end) for end in (least, most)]
    low, high = (bool(FOLD[name](*pair)) for pair in pairs)
    return Value(tuple(uniform(n) for n in shape), scalar=np.bool_(low)) if low == high else None


@rule("select_n")
def chosen(interpreter: Interpreter, eqn: Any, which: Value, *cases: Value) -> Value | None:
    """The case that is known to be chosen, or positions along one axis whichever it is."""
    shape = jaxprs.shape(eqn.outvars[0])
    if which.points:
        return None
    if which.scalar is not None:
        case = cases[int(which.scalar)]
        return dataclasses.replace(case) if case.shape == shape else None
    why = interpreter.why(eqn, "is chosen among positions")
    points = joined(interpreter, [pointer(case) for case in cases], why)
    if points is None:
        return None
    result = RULES["select_n"](interpreter, eqn, which, *map(plain, cases))
    result.points = (points,)
    return result


@rule("clamp", "max", "min")
def bounded(interpreter: Interpreter, eqn: Any, *values: Value) -> Value | None:
    """Positions bent into a range that they never leave."""
    name = eqn.primitive.name
    if name == "clamp":
        low, value, high = values
    else:
        value, other = values if values[0].points else values[::-1]
        low, high = (other, None) if name == "max" else (None, other)
    points = pointer(value)
    if points is None or value.shape != jaxprs.shape(eqn.outvars[0]):
        return None
    for limit, end, sense in ((low, points.offset, 1), (high, points.offset + length(points.label) - 1, -1)):
        if limit is not None and (limit.points or limit.scalar is None or sense * (end - limit.scalar) < 0):
            return None
    return dataclasses.replace(value)


@rule("concatenate")
def columns(interpreter: Interpreter, eqn: Any, *values: Value) -> Value | None:
    """Positions along several axes, side by side, as a read at pairs takes them."""
    dim = eqn.params["dimension"]
    if dim != len(values[0].axes) - 1 or any(length(value.axes[dim]) != 1 for value in values):
        return None
    if any(len(value.points) > 1 for value in values):
        return None
    result = RULES["concatenate"](interpreter, eqn, *map(plain, values))
    result.points = tuple(pointer(value) for value in values)
    return result


@rule("sort")
def ordered(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value] | None:
    """Positions put into the order of keys of which no two are equal."""
    if any(value.points for value in values[: eqn.params["num_keys"]]) or not interpreter.chooses(eqn):
        return None
    if any(len(value.points) > 1 for value in values):
        return None
    outputs = RULES["sort"](interpreter, eqn, *map(plain, values))
    for value, output in zip(values, outputs, strict=True):
        output.points = value.points
    return outputs


def followed(
    interpreter: Interpreter,
    indices: Value,
    axes: Sequence[int],
    labels: Sequence[Label],
    sizes: Sequence[int],
) -> dict[int, Points]:
    """For each axis that is read or written at positions along an axis of its length, what these point along."""
    found = {}
    for axis, points in zip(axes, indices.points, strict=False):
        if points is None:
            continue
        fits = points.offset == 0 and length(points.label) == length(labels[axis]) and sizes[axis] == 1
        if fits and len(indices.points) == len(axes):
            found[axis] = points
        else:
            interpreter.pin(points.label, points.why)
    return found


@rule("gather")
def read_at(interpreter: Interpreter, eqn: Any, value: Value, indices: Value) -> Value | None:
    """Entries at positions along the axis itself."""
    spend(interpreter, [value])
    axes = eqn.params["dimension_numbers"].start_index_map
    known = followed(interpreter, indices, axes, value.axes, eqn.params["slice_sizes"])
    return read(interpreter, eqn, value, plain(indices), known)


@rule("scatter", "scatter-add", "scatter_add", "scatter-sub", "scatter_sub", "scatter-mul", "scatter_mul")
@rule("scatter-max", "scatter_max", "scatter-min", "scatter_min")
def write_at(
    interpreter: Interpreter, eqn: Any, value: Value, indices: Value, updates: Value
) -> Value | None:
    """Entries written at positions along the axis itself."""
    spend(interpreter, [value, updates])
    numbers = eqn.params["dimension_numbers"]
    sizes = [1 if axis in numbers.inserted_window_dims else 0 for axis in range(len(value.axes))]
    axes = numbers.scatter_dims_to_operand_dims
    known = followed(interpreter, indices, axes, value.axes, sizes)
    return write(interpreter, eqn, value, plain(indices), updates, known)


@rule("dynamic_slice")
def read_one(interpreter: Interpreter, eqn: Any, value: Value, *starts: Value) -> Value | None:
    """One entry at a position along the axis itself."""
    spend(interpreter, [value])
    sizes = eqn.params["slice_sizes"]
    known: dict[int, Points] = {}
    for axis, start in enumerate(starts):
        known |= followed(interpreter, start, [axis], value.axes, sizes)
    return cut_out(interpreter, eqn, value, [plain(start) for start in starts], known)
