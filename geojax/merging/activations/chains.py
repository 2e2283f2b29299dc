"""What is known of each value while a program is read: products of leaves, and chains of operations affine in leaves.

A *chain* begins at a contraction or a product with a leaf whose result has an axis of units; it goes on through
reshapes, biases and gains, and ends at the first operation that is not affine in those leaves.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from geojax._program.walk import Cursor

MIXED = -1


@dataclasses.dataclass(frozen=True)
class Term:
    """A leaf as a factor of a value: ``axes`` holds for each dimension of the value the axis of the leaf along it.

    It is None if no axis of the leaf runs along the dimension, `MIXED` if a reshape has merged several.
    """

    leaf: int
    axes: tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Factor:
    """A value that is a product of leaves and, perhaps, of 1 / sqrt(variance + epsilon).

    ``root`` says how far the program has computed the last factor: "" if there is no variance, "+" for
    variance + epsilon, "sqrt" for its root, "rsqrt" for one over the root. Only the first and the last may be
    multiplied.
    """

    terms: tuple[Term, ...]
    variance: Term | None = None
    epsilon: Any = 0.0
    root: str = ""


@dataclasses.dataclass(frozen=True)
class Chain:
    """A value with an axis of units for each of ``units`` (its dimensions).

    Multiplying every leaf of ``scales`` along the units by s multiplies the value by s; adding c to the leaf ``shift``
    adds c. ``mean`` is the leaf that has just been subtracted, at the position ``centred``.
    """

    units: tuple[int, ...]
    scales: tuple[Term, ...] = ()
    shift: Term | None = None
    mean: Term | None = None
    centred: int = -1


Kind = Factor | Chain | None
Placed = tuple[int, tuple[int, ...]]
"""A leaf with the axes of it that units run along, in the units' order."""


@dataclasses.dataclass(frozen=True)
class Info:
    """What is known of a value.

    ``leaves`` are the leaves it depends on, ``data`` says whether it depends on the inputs, ``position`` is that of the
    equation that computes it.
    """

    kind: Kind = None
    leaves: frozenset[int] = frozenset()
    data: bool = False
    position: int = -1


@dataclasses.dataclass(frozen=True)
class Standardisation:
    """A batch normalisation with running statistics: (value - mean) / sqrt(variance + epsilon).

    ``centred`` is the position of the subtraction, ``scaled`` that of the division, ``units`` the value's dimensions
    along which the statistics run; leaves come with their axes in that order.
    """

    centred: int
    scaled: int
    units: tuple[int, ...]
    mean: Placed
    variance: Placed
    epsilon: Any


class Ledger:
    """What is noted while a program is read.

    Attributes:
        cursor: Where the walk is.
        reads: How often the program reads each leaf.
        ends: The chains that ended, by the position of the equation that made the value.
        standardisations: The batch normalisations that were met.
    """

    def __init__(self) -> None:
        self.cursor = Cursor()
        self.reads: dict[int, int] = {}
        self.ends: dict[int, Chain] = {}
        self.standardisations: list[Standardisation] = []

    def consume(self, info: Info) -> None:
        """Notes that an operation outside the chain reads a value."""
        if isinstance(info.kind, Factor):
            for term in (*info.kind.terms, *filter(None, [info.kind.variance])):
                self.reads[term.leaf] = self.reads.get(term.leaf, 0) + 1
        elif isinstance(info.kind, Chain) and info.position >= 0:
            self.ends.setdefault(info.position, info.kind)


def leaf_of(kind: Kind) -> Term | None:
    """The leaf that a value is, up to moving its axes; None for other values."""
    if isinstance(kind, Factor) and len(kind.terms) == 1 and kind.variance is None:
        return kind.terms[0]
    return None


def dims(term: Term) -> tuple[int, ...]:
    """The dimensions that a leaf runs along."""
    return tuple(dim for dim, axis in enumerate(term.axes) if axis is not None)


def along(term: Term, units: Sequence[int]) -> bool:
    """Whether a leaf runs along exactly these dimensions, an axis along each."""
    return dims(term) == tuple(sorted(units)) and MIXED not in term.axes


def placed(term: Term, units: Sequence[int]) -> Placed:
    """A leaf that runs along ``units``, with its axes in their order."""
    return term.leaf, tuple(axis for unit in units if (axis := term.axes[unit]) is not None)
