"""The labels of axes: which group element moves an index, and how an axis is made of such indices.

A label is a row-major product of factors. A factor is a `Node` (an index that a group may move, or one that is held
fixed), `Uniform` (the array is constant along it), a `Sum` (pieces one after another) or a `Stack` (the label depends
on the index along another axis). Equations between labels are solved as they come: nodes are merged, or bound to
products and sums, everywhere at once. If an equation cannot be solved, its nodes are pinned and the reason is kept.
"""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator

STACK_LIMIT = 64


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why an axis is held fixed."""

    primitive: str
    text: str
    source: str = ""


class Node:
    """An index of given length: free if ``pin`` is None, and replaced by the label in ``link`` if there is one.

    The entries of a ``listed`` node are read one by one; a `Stack` may be over it.
    """

    __slots__ = ("key", "link", "listed", "pin", "serial", "size")
    _serials = itertools.count()

    def __init__(self, size: int, key: tuple = (), pin: Reason | None = None, *, listed: bool = False):
        self.size = size
        self.key = key
        self.pin = pin
        self.listed = listed
        self.link: Label | None = None
        self.serial = next(Node._serials)

    def __repr__(self) -> str:
        return f"{'held' if self.pin else 'free'}{self.serial}({self.size})"


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A factor along which the array is constant, so that no permutation changes the array."""

    size: int


@dataclasses.dataclass(frozen=True)
class Sum:
    """Pieces laid one after another along an axis."""

    pieces: tuple["Label", ...]

    @property
    def size(self) -> int:
        """Total length."""
        return sum(length(piece) for piece in self.pieces)


@dataclasses.dataclass(frozen=True)
class Stack:
    """A factor whose label depends on the index i along the node ``over``: it is ``choices[i]``."""

    over: Node
    choices: tuple["Label", ...]

    @property
    def size(self) -> int:
        """Length, the same for every choice."""
        return length(self.choices[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Marked:
    """A node with what a domain notes beside it, such as its exponents (`exponents.carriers.Carrier`)."""

    node: Node

    @property
    def size(self) -> int:
        """Length, that of the node."""
        return self.node.size


Factor = Node | Uniform | Sum | Stack | Marked
Label = tuple[Factor, ...]


def length(label: Label) -> int:
    """Length of the axis that a label describes."""
    return math.prod(factor.size for factor in label)


def uniform(size: int) -> Label:
    """The label of an axis along which the array is constant."""
    return (Uniform(size),) if size != 1 else ()


def resolve(label: Iterable[Factor]) -> Label:
    """The label with every bound node replaced by what it stands for."""
    factors: list[Factor] = []
    for factor in label:
        while isinstance(factor, Node) and factor.link is not None and len(factor.link) == 1:
            factor = factor.link[0]
        if isinstance(factor, Node) and factor.link is not None:
            factors += resolve(factor.link)
        else:
            factors.append(factor)
    return tuple(factors)


def terminals(label: Label) -> Iterator[Factor]:
    """Every node and uniform factor inside a label, pieces and choices included."""
    for factor in resolve(label):
        if isinstance(factor, Sum):
            for piece in factor.pieces:
                yield from terminals(piece)
        elif isinstance(factor, Stack):
            for choice in factor.choices:
                yield from terminals(choice)
        else:
            yield factor


def is_stacked(label: Label) -> bool:
    """Whether the label, or a piece of it, depends on the index along another axis."""
    return any(
        isinstance(factor, Stack)
        or (isinstance(factor, Sum) and any(is_stacked(piece) for piece in factor.pieces))
        for factor in resolve(label)
    )


def stack_roots(label: Label) -> Iterator[Node]:
    """The nodes that the stacks in a label are over."""
    for factor in resolve(label):
        if isinstance(factor, Stack):
            root = resolve((factor.over,))[0]
            if isinstance(root, Node):
                yield root
            for choice in factor.choices:
                yield from stack_roots(choice)
        elif isinstance(factor, Sum):
            for piece in factor.pieces:
                yield from stack_roots(piece)


def node_counts(label: Label) -> Counter[Node]:
    """For each node in a label, the largest number of times that it occurs in one block."""
    total: Counter[Node] = Counter()
    for factor in resolve(label):
        if isinstance(factor, Sum | Stack):
            parts = factor.pieces if isinstance(factor, Sum) else factor.choices
            most: Counter[Node] = Counter()
            for part in parts:
                most |= node_counts(part)
            total += most
        elif isinstance(factor, Node):
            total[factor] += 1
    return total


def is_uniform(label: Label) -> bool:
    """Whether the array is constant along the whole axis (an axis of length one is)."""
    return all(isinstance(factor, Uniform) for factor in resolve(label))


def expand(labels: Iterable[Label]) -> Iterator[tuple[tuple[int, Factor], ...]]:
    """The blocks into which sums and stacks divide an array: for each its (axis, factor) pairs that are not uniform."""

    def choices(axis: int, label: Label, taken: dict[int, int]) -> Iterator[tuple[tuple, dict]]:
        factors = resolve(label)
        if not factors:
            yield (), taken
            return
        head, rest = factors[0], factors[1:]
        if isinstance(head, Sum):
            options = [(piece, taken) for piece in head.pieces]
        elif isinstance(head, Stack):
            root = resolve((head.over,))[0]
            index = taken.get(id(root))
            picks = range(len(head.choices)) if index is None else [index]
            options = [(head.choices[i], {**taken, id(root): i}) for i in picks]
        else:
            own = () if isinstance(head, Uniform) else ((axis, head),)
            for nodes, after in choices(axis, rest, taken):
                yield own + nodes, after
            return
        for option, state in options:
            yield from choices(axis, option + rest, state)

    def walk(remaining: list[tuple[int, Label]], taken: dict[int, int]) -> Iterator[tuple]:
        if not remaining:
            yield ()
            return
        axis, label = remaining[0]
        for nodes, state in choices(axis, label, taken):
            for others in walk(remaining[1:], state):
                yield nodes + others

    yield from walk(list(enumerate(labels)), {})


def edges(factor: Sum) -> list[int]:
    """Where the pieces of a sum begin and end."""
    return [0, *itertools.accumulate(length(piece) for piece in factor.pieces)]
