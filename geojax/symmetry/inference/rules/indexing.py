"""Rules of reading and writing at positions: gather, scatter, dynamic slices and windows."""

from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.axes import Label, Reason, Sum, length
from geojax.symmetry.inference.labels.interpreter import Interpreter, rule
from geojax.symmetry.inference.labels.values import Points, Value
from geojax.symmetry.inference.rules.shapes import take


@rule("dynamic_slice")
def dynamic_slice(interpreter: Interpreter, eqn: Any, value: Value, *starts: Value) -> Value:
    """Axes that are taken whole pass; a known position gives a plain slice; an unknown one holds the axis."""
    return cut_out(interpreter, eqn, value, starts, {})


def cut_out(
    interpreter: Interpreter, eqn: Any, value: Value, starts: Sequence[Value], known: dict[int, Points]
) -> Value:
    """The value of a slice; ``known`` are the axes of which one entry is taken at a position along the axis itself."""
    sizes = eqn.params["slice_sizes"]
    why = interpreter.why(eqn, "is read at a position that is computed")
    held: dict[int, Label] = {}
    ranges = []
    for axis, (size, label) in enumerate(zip(sizes, value.axes, strict=True)):
        full = length(label)
        start = 0 if size == full else starts[axis].scalar
        if start is None:
            others = [other for k, other in enumerate(value.axes) if k != axis]
            interpreter.eliminate([label], others)
            meet(interpreter, label, known.get(axis), why)
            held[axis] = interpreter.fixed(size, why)
            ranges.append((0, full, 1))
        else:
            first = min(max(int(start), 0), full - size)
            ranges.append((first, first + size, 1))
    result = take(interpreter, eqn, value, ranges)
    result.axes = tuple(held.get(axis, label) for axis, label in enumerate(result.axes))
    return result


@rule("dynamic_update_slice")
def dynamic_update_slice(
    interpreter: Interpreter, eqn: Any, value: Value, update: Value, *starts: Value
) -> Value:
    """Axes that are written whole pass; an axis that is written in part at a known position is a sum of pieces."""
    why = interpreter.why(eqn, "is overwritten at a position that is computed")
    partial = [k for k, (old, new) in enumerate(zip(value.shape, update.shape, strict=True)) if old != new]
    along = {k: interpreter.fixed(value.shape[k], why) for k in partial}
    pieces = _overwritten(interpreter, value, update, partial, starts) if len(partial) == 1 else None
    if pieces is not None:
        along[partial[0]] = (Sum(pieces),)
    else:
        for k in partial:
            interpreter.hold(value.axes, [k], why)
            interpreter.hold(update.axes, [k], why)
    pair = []
    for array in (value, update):
        axes = tuple(along.get(k, label) for k, label in enumerate(array.axes))
        pair.append(Value(axes, array.scalar, whole=array.whole))
    return interpreter.alternatives(pair, why)


def _overwritten(
    interpreter: Interpreter, value: Value, update: Value, partial: list[int], starts: tuple[Value, ...]
) -> tuple[Label, ...] | None:
    """The pieces before, in and after the overwritten slice of an axis; None if its position is not known."""
    axis = partial[0]
    start, size, total = starts[axis].scalar, update.shape[axis], value.shape[axis]
    if start is None:
        return None
    first = min(max(int(start), 0), total - size)
    before = interpreter.part(value.axes[axis], 0, first) if first else ()
    after = interpreter.part(value.axes[axis], first + size, total) if first + size < total else ()
    if before is None or after is None:
        return None
    ends = (first > 0, True, first + size < total)
    return tuple(label for label, some in zip((before, update.axes[axis], after), ends, strict=True) if some)


@rule("gather")
def gather(interpreter: Interpreter, eqn: Any, value: Value, indices: Value) -> Value:
    """Axes that are taken whole pass, batching axes are paired with those of the indices, the others are held."""
    return read(interpreter, eqn, value, indices, {})


def read(interpreter: Interpreter, eqn: Any, value: Value, indices: Value, known: dict[int, Points]) -> Value:
    """The value of entries read at positions; ``known`` are the axes along which these are positions themselves."""
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    why = interpreter.why(eqn, "is read at positions that are computed")
    rows = list(indices.axes[:-1])
    interpreter.pin(indices.axes[-1], why)
    for axis, row in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
        rows[row] = interpreter.paired(rows[row], value.axes[axis], why)
    window = []
    for axis, label in enumerate(value.axes):
        if axis in numbers.operand_batching_dims:
            continue
        whole = sizes[axis] == length(label)
        if not whole:
            meet(interpreter, label, known.get(axis), why)
        if axis not in numbers.collapsed_slice_dims:
            window.append(label if whole else interpreter.fixed(sizes[axis], why))
    along = numbers.operand_batching_dims
    whole = [axis in along or sizes[axis] == length(label) for axis, label in enumerate(value.axes)]
    interpreter.eliminate(
        [label for label, full in zip(value.axes, whole, strict=True) if not full],
        [label for label, full in zip(value.axes, whole, strict=True) if full],
    )
    # The indices may have an axis with the same node as one that is read at positions: no stack may be over it then.
    ours = tuple(label for label, full in zip(value.axes, whole, strict=True) if full)
    interpreter.settle(ours, why)
    shape = jaxprs.shape(eqn.outvars[0])
    waiting, offsets = iter(rows), iter(window)
    axes = tuple(next(offsets) if i in numbers.offset_dims else next(waiting) for i in range(len(shape)))
    return Value(axes, whole=value.whole)


def meet(interpreter: Interpreter, label: Label, points: Points | None, why: Reason) -> Label:
    """The label of an axis that is read or written at positions: one with theirs if they are its own, else held."""
    if points is None:
        interpreter.pin(label, why)
        return interpreter.fixed(length(label), why)
    interpreter.domain.stop(label)
    return interpreter.unify(label, points.label, why)


SCATTERS = {
    "scatter": arithmetic.LINEAR,
    "scatter-add": arithmetic.LINEAR,
    "scatter_add": arithmetic.LINEAR,
    "scatter-sub": arithmetic.LINEAR,
    "scatter_sub": arithmetic.LINEAR,
    "scatter_max": arithmetic.HOMOGENEOUS,
    "scatter-max": arithmetic.HOMOGENEOUS,
    "scatter_min": arithmetic.HOMOGENEOUS,
    "scatter-min": arithmetic.HOMOGENEOUS,
    "scatter_mul": arithmetic.NONLINEAR,
    "scatter-mul": arithmetic.NONLINEAR,
}


@rule(*SCATTERS)
def scatter(interpreter: Interpreter, eqn: Any, value: Value, indices: Value, updates: Value) -> Value:
    """Axes that are written whole pass, batching axes are paired with those of the indices, the others are held."""
    return write(interpreter, eqn, value, indices, updates, {})


def write(
    interpreter: Interpreter, eqn: Any, value: Value, indices: Value, updates: Value, known: dict[int, Points]
) -> Value:
    """The value of an array written at positions; ``known`` are the axes along which these are positions themselves."""
    numbers = eqn.params["dimension_numbers"]
    why = interpreter.why(eqn, "is written at positions that are computed")
    interpreter.pin(indices.axes[-1], why)
    places = [i for i in range(len(updates.axes)) if i not in numbers.update_window_dims]
    rows = dict(zip(places, range(len(places)), strict=True))
    batching = dict(zip(numbers.scatter_indices_batching_dims, numbers.operand_batching_dims, strict=True))
    ours, theirs = list(value.axes), list(value.axes)
    for place, row in rows.items():
        if row in batching:
            axis = batching[row]
            theirs[axis] = interpreter.paired(updates.axes[place], indices.axes[row], why)
        else:
            interpreter.hold(updates.axes, [place], why)
            interpreter.pin(indices.axes[row], why)
    skipped = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    windows = iter(numbers.update_window_dims)
    for axis, label in enumerate(value.axes):
        if axis in numbers.operand_batching_dims:
            continue
        new = () if axis in skipped else updates.axes[next(windows)]
        if axis not in skipped and length(new) == length(label):
            theirs[axis] = new
            continue
        interpreter.eliminate([label], [other for k, other in enumerate(value.axes) if k != axis])
        interpreter.pin(new, why)
        ours[axis] = theirs[axis] = meet(interpreter, label, known.get(axis), why)
    pair = [
        Value(tuple(ours), value.scalar, whole=value.whole),
        Value(tuple(theirs), updates.scalar, whole=updates.whole),
    ]
    merged = interpreter.alternatives(pair, why)
    return interpreter.transform(eqn, merged, SCATTERS[eqn.primitive.name])


WINDOWS = {
    "reduce_window_sum": arithmetic.LINEAR,
    "reduce_window_max": arithmetic.HOMOGENEOUS,
    "reduce_window_min": arithmetic.HOMOGENEOUS,
    "reduce_window": arithmetic.NONLINEAR,
    "select_and_gather_add": arithmetic.NONLINEAR,
}


@rule(*WINDOWS)
def window(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Axes along which the window moves are held."""
    params = eqn.params
    why = interpreter.why(eqn, "is an axis that the window moves over")
    shape = jaxprs.shape(eqn.outvars[0])
    arrays = [value for value in values if len(value.axes) == len(shape)]
    axes = list(interpreter.align(arrays, jaxprs.shape(eqn.invars[0]), why))
    rank = len(shape)
    base = params.get("base_dilation") or (1,) * rank
    for k in range(rank):
        still = params["window_dimensions"][k] == params["window_strides"][k] == base[k] == 1
        if not (still and tuple(params["padding"][k]) == (0, 0)):
            interpreter.hold(axes, [k], why)
            axes[k] = interpreter.fixed(shape[k], why)
    how = WINDOWS[eqn.primitive.name]
    return [interpreter.transform(eqn, Value(tuple(axes), whole=arrays[0].whole), how) for _ in eqn.outvars]
