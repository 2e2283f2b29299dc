"""Rules of elementwise, shape-changing and reducing primitives.

A rule is sound when moving the inputs as their labels say moves the outputs as theirs say. An output axis keeps an
input's label only where entry i comes from entry i alone along it; an operation that mixes entries pins the axis
and returns a fresh held one.
"""

import math
import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from geojax.symmetry import arithmetic, jaxprs
from geojax.symmetry.axes import STACK_LIMIT, Label, Reason, Stack, Sum, length, resolve, uniform
from geojax.symmetry.interpret import Interpreter, Value, rule, vanishes, zeros

FOLD = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "max": max,
    "min": min,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "neg": operator.neg,
    "copy": lambda x: x,
    "stop_gradient": lambda x: x,
    "select_n": lambda which, *cases: cases[int(which)],
}


def fold(eqn: Any, values: Sequence[Value]) -> Any:
    """The known number that an elementwise operation on known numbers gives, or None."""
    function = FOLD.get(eqn.primitive.name)
    if function is None or any(value.scalar is None for value in values):
        return None
    with np.errstate(all="ignore"):
        return function(*(value.scalar for value in values))


@rule(*arithmetic.UNARY)
def unary(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value] | Value:
    results = []
    for value in values:
        result = interpreter.transform(eqn, value, arithmetic.UNARY[eqn.primitive.name])
        result.scalar = fold(eqn, [value])
        results.append(result)
    return results


@rule("convert_element_type")
def convert(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    smooth = jaxprs.is_float(eqn.invars[0]) and jaxprs.is_float(eqn.outvars[0])
    result = interpreter.transform(eqn, value, arithmetic.LINEAR if smooth else arithmetic.NONLINEAR)
    if value.scalar is not None:
        with np.errstate(all="ignore"):
            result.scalar = np.asarray(value.scalar).astype(eqn.params["new_dtype"])[()]
    result.leaf = value.leaf
    return result


@rule("bitcast_convert_type")
def bitcast(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """Bits read as another type; a change of width adds an axis of parts or takes it away."""
    shape = jaxprs.shape(eqn.outvars[0])
    result = interpreter.transform(eqn, value, arithmetic.NONLINEAR)
    why = interpreter.why(eqn, "is an axis of parts of a number")
    if len(shape) < len(value.axes):
        interpreter.pin(value.axes[-1], why)
        result.axes = result.axes[:-1]
    elif len(shape) > len(value.axes):
        result.axes = (*result.axes, interpreter.fixed(shape[-1], why))
    return result


@rule("integer_pow")
def integer_power(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    return interpreter.transform(eqn, value, arithmetic.power(eqn.params["y"]))


@rule(*arithmetic.NARY)
def nary(interpreter: Interpreter, eqn: Any, *values: Value) -> Value:
    name = eqn.primitive.name
    if name == "pow" and values[1].scalar is not None and jaxprs.is_float(eqn.invars[0]):
        exponent = Fraction(float(values[1].scalar)).limit_denominator(64)
        if float(exponent) == float(values[1].scalar):
            return interpreter.transform(eqn, values[0], arithmetic.power(exponent))
    if name == "mul" and vanishes(values):
        return zeros(eqn)
    result = interpreter.combine(eqn, values, arithmetic.NARY[name])
    result.scalar = fold(eqn, values)
    return result


@rule("broadcast_in_dim")
def broadcast(interpreter: Interpreter, eqn: Any, value: Value, *_: Value) -> Value:
    shape, dims = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    axes = [uniform(n) for n in shape]
    for axis, dim in enumerate(dims):
        if length(value.axes[axis]) == shape[dim]:
            axes[dim] = value.axes[axis]
    return Value(tuple(axes), scalar=value.scalar, gauge=value.gauge)


@rule("tile")
def tile(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    """An axis repeated k times is the product of a uniform axis of length k and itself."""
    axes = tuple((*uniform(k), *label) for k, label in zip(eqn.params["reps"], value.axes, strict=True))
    return Value(axes, scalar=value.scalar, gauge=value.gauge)


@rule("transpose")
def transpose(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    axes = tuple(value.axes[i] for i in eqn.params["permutation"])
    return Value(axes, scalar=value.scalar, leaf=value.leaf, gauge=value.gauge)


@rule("squeeze")
def squeeze(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    gone = eqn.params["dimensions"]
    axes = tuple(label for i, label in enumerate(value.axes) if i not in gone)
    return Value(axes, scalar=value.scalar, leaf=value.leaf, gauge=value.gauge)


@rule("reshape")
def reshape(interpreter: Interpreter, eqn: Any, value: Value, *_: Value) -> Value:
    """Row-major factors are regrouped, in the smallest runs of axes whose sizes agree before and after."""
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
    return Value(tuple(axes), scalar=value.scalar, leaf=value.leaf, gauge=value.gauge)


@rule("concatenate")
def concatenate(interpreter: Interpreter, eqn: Any, *values: Value) -> Value:
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
        Value(value.axes[:dim] + value.axes[dim + 1 :], value.scalar, gauge=value.gauge) for value in values
    ]
    merged = interpreter.alternatives(
        eqn, rest, interpreter.why(eqn, "is matched across concatenated arrays")
    )
    axes = (*merged.axes[:dim], along, *merged.axes[dim:])
    return Value(axes, scalar=values[0].scalar if same else None, gauge=merged.gauge)


def _side_by_side(interpreter: Interpreter, eqn: Any, values: list[Value], dim: int) -> Value:
    """Arrays of length one along an axis: what moves the other axes depends on the index along it."""
    index = interpreter.listed(len(values), interpreter.why(eqn, "has its entries put side by side"))
    axes: list[Label] = []
    for k, size in enumerate(jaxprs.shape(eqn.outvars[0])):
        choices = tuple(resolve(value.axes[k]) for value in values)
        if k == dim:
            axes.append(index)
        elif all(choice == choices[0] for choice in choices) or size == 1:
            axes.append(choices[0])
        else:
            axes.append((Stack(index[0], choices),))
    return Value(tuple(axes), gauge=interpreter.common_gauge(values))


@rule("pad")
def pad(interpreter: Interpreter, eqn: Any, value: Value, filler: Value) -> Value:
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
    whole = interpreter.alternatives(eqn, [Value(tuple(axes), gauge=value.gauge), filler], why, pieces=True)
    return Value(tuple(axes), gauge=whole.gauge)


@rule("slice")
def slice_(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
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
    return Value(tuple(axes), scalar=value.scalar, leaf=value.leaf, gauge=value.gauge)


def stretch(
    interpreter: Interpreter, label: Label, start: int, stop: int, stride: int, why: Reason
) -> Label | None:
    """The label of entries start, start + stride, ... of an axis, or None where that goes across factors."""
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
    axis, sizes = eqn.params["axis"], [int(n) for n in eqn.params["sizes"]]
    whole = [(0, n, 1) for n in value.shape]
    edges = np.cumsum([0, *sizes]).tolist()
    ranges = [(a, b, 1) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return [take(interpreter, eqn, value, [*whole[:axis], r, *whole[axis + 1 :]]) for r in ranges]


@rule("unstack")
def unstack(interpreter: Interpreter, eqn: Any, value: Value) -> list[Value]:
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
    axis = eqn.params["axis"]
    lifted = [Value((*v.axes[:axis], (), *v.axes[axis:]), v.scalar, gauge=v.gauge) for v in values]
    return join_along(interpreter, eqn, lifted, axis)


@rule("iota")
def iota(interpreter: Interpreter, eqn: Any, *_: Value) -> Value:
    why = interpreter.why(eqn, "is numbered")
    dim = eqn.params["dimension"]
    return Value(
        tuple(
            interpreter.fixed(n, why) if i == dim else uniform(n) for i, n in enumerate(eqn.params["shape"])
        )
    )


REDUCTIONS = {
    "reduce_sum": (arithmetic.LINEAR, "is summed"),
    **dict.fromkeys(("reduce_max", "reduce_min"), (arithmetic.HOMOGENEOUS, "is reduced to an extreme")),
    **dict.fromkeys(
        ("reduce_prod", "reduce_and", "reduce_or", "reduce_xor"), (arithmetic.NONLINEAR, "is reduced")
    ),
}


@rule(*REDUCTIONS)
def reduction(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    how, _ = REDUCTIONS[eqn.primitive.name]
    gone = eqn.params["axes"]
    for axis in gone:
        interpreter.total(eqn, value.axes[axis], how)
    kept = Value(tuple(label for i, label in enumerate(value.axes) if i not in gone), gauge=value.gauge)
    interpreter.eliminate([value.axes[i] for i in gone], kept.axes)
    return interpreter.transform(eqn, kept, how)


@rule("argmax", "argmin")
def arg_extreme(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    why = interpreter.why(eqn, "is turned into a position")
    interpreter.hold(value.axes, eqn.params["axes"], why)
    kept = Value(tuple(l for i, l in enumerate(value.axes) if i not in eqn.params["axes"]), gauge=value.gauge)
    return interpreter.transform(eqn, kept, arithmetic.NONLINEAR)


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
    return mixed(interpreter, eqn, value, [eqn.params["axis"]], "is accumulated in order")


@rule("rev")
def reverse(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
    return mixed(interpreter, eqn, value, eqn.params["dimensions"], "is reversed")


@rule("fft")
def fft(interpreter: Interpreter, eqn: Any, value: Value) -> Value:
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
    return interpreter.transform(eqn, Value(tuple(axes), gauge=value.gauge), SCANS[eqn.primitive.name])


@rule("sort")
def sort(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Rows move together; the sorted axis is held (its values alone would be invariant, the payload is not)."""
    dim = eqn.params["dimension"]
    why = interpreter.why(eqn, "is sorted")
    for value in values:
        interpreter.hold(value.axes, [dim], why)
    shape = jaxprs.shape(eqn.invars[0])
    axes = list(interpreter.align(eqn, values, shape, why))
    axes[dim] = interpreter.fixed(shape[dim], why)
    how = arithmetic.HOMOGENEOUS if len(values) == 1 else arithmetic.NONLINEAR
    return [interpreter.transform(eqn, Value(tuple(axes), gauge=v.gauge), how) for v in values]


@rule("top_k", "approx_top_k")
def top_k(interpreter: Interpreter, eqn: Any, value: Value, *_: Value) -> list[Value]:
    why = interpreter.why(eqn, "is ranked")
    dim = eqn.params.get("axis", eqn.params.get("reduction_dimension", -1)) % len(value.axes)
    interpreter.hold(value.axes, [dim], why)
    size = jaxprs.shape(eqn.outvars[0])[dim]
    axes = (*value.axes[:dim], interpreter.fixed(size, why), *value.axes[dim + 1 :])
    ranks = Value(axes, gauge=value.gauge)
    kept = interpreter.transform(eqn, ranks, arithmetic.HOMOGENEOUS)
    return [kept, interpreter.transform(eqn, Value(kept.axes, gauge=value.gauge), arithmetic.NONLINEAR)]


@rule(
    *("random_bits", "random_seed", "random_split", "random_fold_in", "random_gamma", "rng_bit_generator"),
    *("threefry2x32", "random_wrap", "random_unwrap"),
)
def random(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    why = interpreter.why(eqn, "meets random numbers drawn entry by entry")
    for value in values:
        interpreter.break_value(value, why)
    return [interpreter.fresh(var, why) for var in eqn.outvars]
