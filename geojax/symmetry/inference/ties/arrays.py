"""Operations on spreads that move axes, sum over them or read parts of arrays."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from geojax._program import jaxprs
from geojax._program.walk import Rules
from geojax.symmetry.inference.ties.spread import ABSENT, Name, Reading, Spread, along, blurred, box, spread

RULES = Rules()
rule = RULES.register


@rule("broadcast_in_dim")
def broadcast(eqn: Any, value: Spread, *_: Spread) -> Spread:
    """New axes, along which the array is flat."""
    shape = jaxprs.shape(eqn.outvars[0])
    dims = eqn.params["broadcast_dimensions"]
    return along(value, shape, {k: int(d) for k, d in enumerate(dims) if value.shape[k] == shape[d]})


@rule("transpose")
def transpose(eqn: Any, value: Spread) -> Spread:
    """Axes in another order."""
    new = {int(old): place for place, old in enumerate(eqn.params["permutation"])}
    return along(value, jaxprs.shape(eqn.outvars[0]), new)


@rule("squeeze")
def squeeze(eqn: Any, value: Spread) -> Spread:
    """Axes of length one are removed."""
    gone = eqn.params["dimensions"]
    kept = [k for k in range(len(value.shape)) if k not in gone]
    return along(value, jaxprs.shape(eqn.outvars[0]), {k: place for place, k in enumerate(kept)})


@rule("reshape")
def reshape(eqn: Any, value: Spread, *_: Spread) -> Spread:
    """An axis stays one if as many entries come before it and after it as there did."""
    shape = jaxprs.shape(eqn.outvars[0])
    places = {(_product(shape[:k]), n): k for k, n in enumerate(shape) if n > 1}
    new = {
        k: places[_product(value.shape[:k]), n]
        for k, n in enumerate(value.shape)
        if n > 1 and (_product(value.shape[:k]), n) in places
    }
    known = along(value, shape, new)
    flat = [k for k in known.flat if k in new.values() or shape[k] == 1 or _all_flat(value)]
    return spread(
        shape,
        known.readings,
        nonzero=known.nonzero,
        positive=known.positive,
        distinct=known.distinct,
        flat=flat,
    )


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for n in sizes:
        total *= n
    return total


def _all_flat(value: Spread) -> bool:
    return all(value.is_flat(k) for k in range(len(value.shape)))


def cut(value: Spread, ranges: Sequence[tuple[int, int, int]]) -> Spread:
    """A box of entries, which reads a box of each variable: along each axis a range (start, stop, stride)."""
    shape = [len(range(*one)) for one in ranges]
    same = {k: k for k in range(len(shape))}
    result = along(value, shape, same, shifted=[k for k in same if ranges[k][2] != 1])
    readings = {}
    for name, reading in result.readings.items():
        part = name
        for axis, other in reading.axes:
            start, stop, _ = ranges[axis]
            if stop - start < value.shape[axis]:
                part = box(part, other, start, stop)
        readings[part] = reading
    return dataclasses.replace(result, readings=readings)


@rule("slice")
def slice_(eqn: Any, value: Spread) -> Spread:
    """A box of entries."""
    starts, stops = eqn.params["start_indices"], eqn.params["limit_indices"]
    return cut(value, list(zip(starts, stops, eqn.params["strides"] or (1,) * len(starts), strict=True)))


@rule("split")
def split(eqn: Any, value: Spread) -> list[Spread]:
    """Boxes one after another."""
    axis = eqn.params["axis"]
    whole = [(0, n, 1) for n in value.shape]
    edges = itertools.accumulate((int(n) for n in eqn.params["sizes"]), initial=0)
    return [
        cut(value, [*whole[:axis], (start, stop, 1), *whole[axis + 1 :]])
        for start, stop in itertools.pairwise(edges)
    ]


@rule("concatenate")
def concatenate(eqn: Any, *values: Spread) -> Spread:
    """Arrays one after another: where they meet, entries may be equal."""
    nonzero, positive = (all(getattr(v, name) for v in values) for name in ("nonzero", "positive"))
    known = blurred(jaxprs.shape(eqn.outvars[0]), values)
    return spread(known.shape, known.readings, nonzero=nonzero, positive=positive)


@rule("gather")
def gather(eqn: Any, value: Spread, indices: Spread) -> Spread:
    """Entries at positions: each is one of the array's, and axes taken whole stay; a fill is not a number."""
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    shape = jaxprs.shape(eqn.outvars[0])
    filled = eqn.params.get("fill_value")
    if filled is not None and filled == filled:
        return blurred(shape, [value, indices])
    gone = {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    window = [k for k in range(len(value.shape)) if k not in gone]
    new = {k: int(d) for k, d in zip(window, numbers.offset_dims, strict=True) if sizes[k] == value.shape[k]}
    known = along(value, shape, new)
    return spread(
        shape,
        chosen_by(known, [indices]),
        nonzero=known.nonzero,
        positive=known.positive,
        distinct=known.distinct,
        flat=[k for k in known.flat if k in new.values()],
    )


def chosen_by(value: Spread, indices: Sequence[Spread]) -> dict[Name, Reading]:
    """The readings of entries that others choose: of a variable that these read nothing more is known."""
    readings = {
        name: reading if all(index.reading(name) is ABSENT for index in indices) else Reading()
        for name, reading in value.readings.items()
    }
    return {name: Reading() for index in indices for name in index.readings} | readings


@rule("dynamic_slice")
def slice_at(eqn: Any, value: Spread, *starts: Spread) -> Spread:
    """A box at a position."""
    shape = jaxprs.shape(eqn.outvars[0])
    same = {k: k for k in range(len(shape))}
    known = along(value, shape, same, shifted=[k for k in same if shape[k] != value.shape[k]])
    return dataclasses.replace(known, readings=chosen_by(known, starts))


@rule("reduce_sum")
def summed(eqn: Any, value: Spread) -> Spread:
    """A sum of entries that read different parts of a variable is loose in it."""
    gone = [k for k in eqn.params["axes"] if value.shape[k] > 1]
    kept = _kept(eqn, value)
    readings = {}
    for name, r in kept.readings.items():
        whole = value.readings[name]
        loose = r.loose and all(k in dict(whole.axes) for k in gone)
        readings[name] = Reading(r.axes, r.low, r.high, loose)
    distinct = () if gone else kept.distinct
    return spread(kept.shape, readings, positive=value.positive, distinct=distinct, flat=kept.flat)


@rule("reduce_max", "reduce_min")
def extreme(eqn: Any, value: Spread) -> Spread:
    """One of the entries."""
    kept = _kept(eqn, value)
    readings = {name: Reading(r.axes, loose=r.loose) for name, r in kept.readings.items()}
    return spread(kept.shape, readings, nonzero=value.nonzero, positive=value.positive, flat=kept.flat)


def _kept(eqn: Any, value: Spread) -> Spread:
    kept = [k for k in range(len(value.shape)) if k not in eqn.params["axes"]]
    return along(value, jaxprs.shape(eqn.outvars[0]), {k: place for place, k in enumerate(kept)})


@rule("dot_general")
def contracted(eqn: Any, lhs: Spread, rhs: Spread, *_: Spread) -> Spread:
    """A sum of products: loose if the entries of one factor read different parts of a variable, the others not zero."""
    (left, right), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    shape = jaxprs.shape(eqn.outvars[0])
    batch = len(left_batch)
    ours = [k for k in range(len(lhs.shape)) if k not in left and k not in left_batch]
    theirs = [k for k in range(len(rhs.shape)) if k not in right and k not in right_batch]
    first = {k: i for i, k in enumerate(left_batch)} | {k: batch + i for i, k in enumerate(ours)}
    second = {k: i for i, k in enumerate(right_batch)}
    second |= {k: batch + len(ours) + i for i, k in enumerate(theirs)}
    readings = {}
    for name in {*lhs.readings, *rhs.readings}:
        a, b = lhs.reading(name), rhs.reading(name)
        if b is ABSENT:
            axes, loose = _placed(a, first), a.loose and rhs.nonzero and _apart(a, left, lhs)
        elif a is ABSENT:
            axes, loose = _placed(b, second), b.loose and lhs.nonzero and _apart(b, right, rhs)
        else:
            axes, loose = tuple(p for p in _placed(a, first) if p in _placed(b, second)), False
        polynomial = a.low >= 0 and b.low >= 0
        degrees = (a.low + b.low, a.high + b.high) if polynomial else (-1, float("inf"))
        readings[name] = Reading(axes, *degrees, loose)
    return spread(shape, readings, positive=lhs.positive and rhs.positive)


def _placed(reading: Reading, new: dict[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((new[axis], other) for axis, other in reading.axes if axis in new)


def _apart(reading: Reading, summed: Sequence[int], value: Spread) -> bool:
    return all(axis in dict(reading.axes) for axis in summed if value.shape[axis] > 1)
