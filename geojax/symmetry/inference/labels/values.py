"""What a run knows of each array of a program, and what it notes in its log."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from geojax._program import jaxprs
from geojax.symmetry.inference.labels.axes import Label, Reason, is_uniform, uniform


@dataclasses.dataclass(frozen=True)
class Points:
    """What whole numbers are positions along: an axis that may move, and then they move with it.

    Attributes:
        label: The label of the axis. Where it moves as ``new[i] = old[perm[i]]``, position p becomes the i with
            ``perm[i] = p``.
        why: Why the axis is held if the positions are used as numbers.
        offset: What was added to the positions.
    """

    label: Label
    why: Reason
    offset: int = 0


@dataclasses.dataclass
class Value:
    """What is known of one array of the program.

    Attributes:
        axes: A label for each axis.
        scalar: The number that every entry equals, if it is known; else None.
        data: Whether the array depends on the inputs (and not on parameters and constants alone).
        whole: The exponents with which the array is scaled as a whole; None in the run on labels.
        steady: Whether the array is computed from constants alone.
        finite: Whether all constants that it is computed from are finite.
        points: What the entries are positions along: nothing, one `Points` for all, or one (or None) for each index
            along the last axis.
        counted: Whether the entries are the positions themselves, 0, 1, 2, ... along one axis, plus an offset.
        unit: Whether the array is a multiple of the unit matrix along the two axes along which it differs.
    """

    axes: tuple[Label, ...]
    scalar: Any = None
    data: bool = False
    whole: Any = None
    steady: bool = False
    finite: bool = True
    points: tuple[Points | None, ...] = ()
    counted: bool = False
    unit: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(int(np.prod([factor.size for factor in label], dtype=int)) for label in self.axes)

    def axis(self, number: int, size: int) -> Label:
        """Label of an axis of the broadcast array: uniform if the array has no such axis, or one of length one."""
        return self.axes[number] if self.axes and self.axes[number] else uniform(size)

    @property
    def uniform(self) -> bool:
        """Whether all entries are equal."""
        return all(is_uniform(label) for label in self.axes)


@dataclasses.dataclass(frozen=True)
class Contraction:
    """A sum of products: the labels summed over, and those of the axes that both factors keep in step."""

    summed: tuple[Label, ...]
    batch: tuple[Label, ...]
    ambient: Label


@dataclasses.dataclass(frozen=True)
class Elimination:
    """The labels of the axes that an operation removes from an array, and of those that it keeps."""

    gone: tuple[Label, ...]
    kept: tuple[Label, ...]


@dataclasses.dataclass(frozen=True)
class Product:
    """A matrix product or convolution: its place in the program, its equation, and the values of its factors."""

    place: tuple[int, ...]
    eqn: Any
    factors: tuple["Value", ...]
    ambient: Label


@dataclasses.dataclass(frozen=True)
class Occurrence:
    """The labels of one array of the program, and the loop indices it depends on."""

    axes: tuple[Label, ...]
    ambient: Label


def numbers_of(array: Any) -> np.ndarray | None:
    """The array as numpy numbers, or None if it holds something else or its numbers are not known."""
    if isinstance(array, Tracer) or not jax.dtypes.issubdtype(jax.dtypes.result_type(array), np.generic):
        return None
    numbers = np.asarray(array)
    if numbers.dtype.kind in "fiubc":
        return numbers
    return numbers.astype(np.float32) if jax.dtypes.issubdtype(numbers.dtype, np.number) else None


def vanishes(values: Sequence[Value]) -> bool:
    """Whether a product is zero: one factor is zero, and the others are finite and not constants."""
    others = [value for value in values if value.scalar is None or value.scalar != 0]
    return len(others) < len(values) and all(value.finite and not value.steady for value in others)


def zeros(eqn: Any) -> Value:
    """The value of an equation whose result is known to be zero."""
    return Value(tuple(uniform(n) for n in jaxprs.shape(eqn.outvars[0])), scalar=0)
