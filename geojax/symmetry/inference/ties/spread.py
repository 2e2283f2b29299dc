"""How the entries of an array are spread when parameters and inputs are drawn at random.

A choice of the largest entry, or a sort, is a symmetric function of the entries only where no two are equal; where
they are, places decide. Whether entries are equal with positive probability cannot be seen from labels: a relu makes
them so, a product with a fresh matrix does not. Here every array is followed as a function of the *variables*, the
floating-point parameters and inputs, which have densities. An entry is loose in a variable if, whatever the others are
(apart from a set of measure zero), it takes each value on a set of measure zero only. Two entries are almost surely
different if one is loose in a part of a variable that the other does not read. What is not known is not assumed.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Name = tuple[int, tuple[tuple[int, int, int], ...]]
"""A variable, or a box of one: its number, and (axis, start, stop) for each axis of which only a part is meant."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """How an array depends on one of the variables that it reads.

    Attributes:
        axes: Pairs (axis of the array, axis of the variable): entry i along the one reads index i along the other only.
        low: If the array is a polynomial in the variable, the least degree of a term; else -1.
        high: The largest; infinity if the array is none.
        loose: Whether each entry is loose in the variable.
    """

    axes: tuple[tuple[int, int], ...] = ()
    low: int | float = -1
    high: int | float = math.inf
    loose: bool = False


ABSENT = Reading(low=0, high=0)
"""The reading of a variable that the array does not read."""


@dataclasses.dataclass(frozen=True)
class Spread:
    """What is known of the entries of an array.

    Attributes:
        shape: Its shape.
        readings: How it depends on each variable that it reads.
        nonzero: Whether almost surely no entry is zero.
        positive: Whether every entry is positive.
        distinct: Axes along which almost surely no two entries are equal.
        flat: Axes along which all entries are equal.
    """

    shape: tuple[int, ...]
    readings: Mapping[Name, Reading] = dataclasses.field(default_factory=dict)
    nonzero: bool = False
    positive: bool = False
    distinct: frozenset[int] = frozenset()
    flat: frozenset[int] = frozenset()

    def reading(self, name: Name) -> Reading:
        """How it depends on a variable: not known if it reads another part of it that overlaps."""
        if name in self.readings:
            return self.readings[name]
        return Reading() if any(overlap(name, other) for other in self.readings) else ABSENT

    def is_flat(self, axis: int) -> bool:
        """Whether all entries along an axis of the result are equal: also where the array is a number without axes."""
        return not self.shape or axis in self.flat or self.shape[axis] == 1

    def differs(self, axis: int) -> bool:
        """Whether almost surely no two entries along an axis are equal."""
        return axis in self.distinct or any(
            reading.loose and axis in dict(reading.axes) for reading in self.readings.values()
        )


def overlap(first: Name, second: Name) -> bool:
    """Whether two boxes may have an entry of a variable in common."""
    if first[0] != second[0]:
        return False
    there = {axis: (start, stop) for axis, start, stop in second[1]}
    return all(
        start < there.get(axis, (0, stop))[1] and there.get(axis, (start, 0))[0] < stop
        for axis, start, stop in first[1]
    )


def box(name: Name, axis: int, start: int, stop: int) -> Name:
    """The part of a variable, or of a box, between two indices along an axis."""
    known = {a: (low, high) for a, low, high in name[1]}
    low = known.get(axis, (0, 0))[0]
    known[axis] = (low + start, low + stop)
    return name[0], tuple((a, *known[a]) for a in sorted(known))


def spread(
    shape: Iterable[int],
    readings: Mapping[Name, Reading],
    *,
    nonzero: bool = False,
    positive: bool = False,
    distinct: Iterable[int] = (),
    flat: Iterable[int] = (),
) -> Spread:
    """A `Spread`, with what follows from what is known: a loose entry is almost surely not zero."""
    shape = tuple(shape)
    loose = any(reading.loose for reading in readings.values())
    return Spread(
        shape, dict(readings), nonzero or positive or loose, positive, frozenset(distinct), frozenset(flat)
    )


def variable(number: int, shape: Iterable[int]) -> Spread:
    """A parameter or an input whose entries have a density."""
    shape = tuple(shape)
    whole = Reading(tuple((axis, axis) for axis in range(len(shape))), 1, 1, True)
    return spread(shape, {(number, ()): whole})


def constant(numbers: np.ndarray | None, shape: Iterable[int] = ()) -> Spread:
    """Known numbers; None if they cannot be read."""
    if numbers is None or not numbers.size:
        return Spread(tuple(shape))
    flat = [k for k, n in enumerate(numbers.shape) if np.all(numbers == np.take(numbers, [0], k))]
    nonzero = bool(np.all(numbers != 0))
    real = numbers.dtype.kind in "fiu"
    return spread(numbers.shape, {}, nonzero=nonzero, positive=bool(real and np.all(numbers > 0)), flat=flat)


def blurred(shape: Iterable[int], values: Iterable[Spread], *, nonzero: bool = False) -> Spread:
    """An array of which only the variables are known that it reads."""
    names = {name for value in values for name in value.readings}
    return spread(shape, {name: Reading() for name in names}, nonzero=nonzero)


def along(value: Spread, shape: Sequence[int], new: dict[int, int], *, shifted: Sequence[int] = ()) -> Spread:
    """The array with its axes in other places; ``new`` maps axes of the array to those of the result.

    Entries along an axis in ``shifted`` are some of those there were, so that their numbers are others.
    """
    readings = {
        name: Reading(
            tuple((new[axis], other) for axis, other in r.axes if axis in new and axis not in shifted),
            r.low,
            r.high,
            r.loose,
        )
        for name, r in value.readings.items()
    }
    distinct = [new[axis] for axis in range(len(value.shape)) if axis in new and value.differs(axis)]
    kept = {new[axis] for axis in value.flat if axis in new}
    flat = kept | (set(range(len(shape))) - set(new.values()))
    return spread(
        shape, readings, nonzero=value.nonzero, positive=value.positive, distinct=distinct, flat=flat
    )


def shared(first: Reading, second: Reading) -> tuple[tuple[int, int], ...]:
    """The part of a variable that entries of two arrays read together; an array that does not read it reads no part."""
    if first is ABSENT or second is ABSENT:
        return second.axes if first is ABSENT else first.axes
    return tuple(pair for pair in first.axes if pair in second.axes)
