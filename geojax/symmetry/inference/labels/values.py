"""What is known of the arrays of a program while it runs on labels, and what a run notes of them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from geojax._program import jaxprs
from geojax.symmetry.inference.labels.axes import Label, is_uniform, uniform


@dataclasses.dataclass
class Value:
    """What is known of one array of the program.

    Attributes:
        axes: A label for each axis.
        scalar: The number that every entry equals, where that is known; else None.
        data: Whether the array depends on the inputs (and not on parameters and constants alone).
        gauge: How the array as a whole scales; None while only permutations are looked for.
        steady: Whether the array is computed from constants alone.
        finite: Whether no constant that it is computed from holds an infinity or NaN.
    """

    axes: tuple[Label, ...]
    scalar: Any = None
    data: bool = False
    gauge: Any = None
    steady: bool = False
    finite: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(int(np.prod([factor.size for factor in label], dtype=int)) for label in self.axes)

    def axis(self, number: int, size: int) -> Label:
        """Label of an axis of the array once broadcast: uniform where it has no such axis, or one of length one."""
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
    """Axes of an array that a result does not have any more, and those that it keeps."""

    gone: tuple[Label, ...]
    kept: tuple[Label, ...]


@dataclasses.dataclass(frozen=True)
class Product:
    """A matrix product or convolution of the program: where it is, its equation, its factors' values."""

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
    """The array as numpy numbers, or None where it holds something else or is not known."""
    if isinstance(array, Tracer) or not jax.dtypes.issubdtype(jax.dtypes.result_type(array), np.generic):
        return None
    numbers = np.asarray(array)
    if numbers.dtype.kind in "fiubc":
        return numbers
    return numbers.astype(np.float32) if jax.dtypes.issubdtype(numbers.dtype, np.number) else None


def vanishes(values: Sequence[Value]) -> bool:
    """Whether a product is zero: some factor is, and the others are finite numbers that are not known."""
    others = [value for value in values if value.scalar is None or value.scalar != 0]
    return len(others) < len(values) and all(value.finite and not value.steady for value in others)


def zeros(eqn: Any) -> Value:
    """The value of an equation whose result is known to be zero."""
    return Value(tuple(uniform(n) for n in jaxprs.shape(eqn.outvars[0])), scalar=0)
