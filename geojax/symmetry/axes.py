"""The axis algebra: labels that say which group element moves an axis, and their unification.

A label is a row-major product of factors. A factor is a `Node` (an index that a group may move, or one that is
held), `Uniform` (the array is constant along it), a `Sum` (pieces one after another) or a `Stack` (what moves it
depends on the index along another axis). Equations between labels are solved as they come: nodes are merged, or
bound to products and sums, everywhere at once. What cannot be solved is pinned, with the reason kept.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator

STACK_LIMIT = 64


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why an axis is held fixed."""

    primitive: str
    text: str
    source: str = ""


class Node:
    """An index of given length: free while ``pin`` is None, or standing for the label in ``link``.

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
        return f"{'fixed' if self.pin else 'atom'}{self.serial}({self.size})"


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A factor along which the array is constant: any permutation leaves it alone."""

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
    """A factor whose label is ``choices[i]`` where the index along the node ``over`` is i."""

    over: Node
    choices: tuple["Label", ...]

    @property
    def size(self) -> int:
        """Length, the same for every choice."""
        return length(self.choices[0])


Factor = Node | Uniform | Sum | Stack
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


def is_uniform(label: Label) -> bool:
    """Whether the array is constant along the whole axis (an axis of length one is)."""
    return all(isinstance(factor, Uniform) for factor in resolve(label))


def expand(labels: Iterable[Label]) -> Iterator[tuple[tuple[int, Factor], ...]]:
    """For each block that sums and stacks divide an array into, the (axis number, factor) pairs that are not uniform."""

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
            found = () if isinstance(head, Uniform) else ((axis, head),)
            for nodes, after in choices(axis, rest, taken):
                yield found + nodes, after
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


class Algebra:
    """Solves equations between labels.

    Attributes:
        enumerate_keys: Keys of nodes whose indices are read one by one; nodes made beside such a node get a label
            of their own for each of its indices.
        stacks: Whether any `Stack` has been made (so that the check for them can be skipped where none is).
    """

    def __init__(self, enumerate_keys: frozenset = frozenset()):
        self.enumerate_keys = enumerate_keys
        self.stacks = False
        self.picks: list[tuple[Node, int, int, Label]] = []

    # -- making labels ------------------------------------------------------------------------------------------

    def fixed(self, size: int, why: Reason) -> Label:
        """A fresh axis that is held."""
        return (Node(size, pin=why),) if size != 1 else ()

    def listed(self, size: int, why: Reason) -> Label:
        """A fresh held axis whose entries are told apart, for stacks to be over."""
        self.stacks = True
        return (Node(size, pin=why, listed=True),)

    def family(self, sizes: Iterable[int], keys: Iterable[tuple]) -> list[Label]:
        """Fresh free labels made together; those beside an enumerated one depend on its index."""
        sized = list(zip(sizes, keys, strict=True))
        over = [
            i for i, (size, key) in enumerate(sized) if key in self.enumerate_keys and 1 < size <= STACK_LIMIT
        ]
        if not over:
            return [(Node(size, key),) if size != 1 else () for size, key in sized]
        first = over[0]
        (index,) = self.listed(sized[first][0], Reason("slice", "has its entries read one by one"))
        index.key = sized[first][1]
        labels: list[Label] = []
        for i, (size, key) in enumerate(sized):
            if i == first:
                labels.append((index,))
            elif size == 1:
                labels.append(())
            else:
                labels.append(
                    (Stack(index, tuple((Node(size, (*key, "at", j)),) for j in range(index.size))),)
                )
        return labels

    def materialise(self, label: Label) -> Label:
        """The label with uniform factors replaced by fresh free nodes, for binding to a node."""
        factors: list[Factor] = []
        for factor in resolve(label):
            if isinstance(factor, Uniform):
                factors.append(Node(factor.size))
            elif isinstance(factor, Sum):
                factors.append(Sum(tuple(self.materialise(piece) for piece in factor.pieces)))
            elif isinstance(factor, Stack):
                factors.append(
                    Stack(factor.over, tuple(self.materialise(choice) for choice in factor.choices))
                )
            else:
                factors.append(factor)
        return tuple(factors)

    # -- equations ----------------------------------------------------------------------------------------------

    def pin(self, label: Label, why: Reason) -> None:
        """Holds every node of the label; a node that is held already keeps its first reason."""
        for factor in list(terminals(label)):
            if isinstance(factor, Node) and factor.pin is None:
                factor.pin = why

    def unify(self, first: Label, second: Label, why: Reason) -> Label:
        """The common label of two axes that are matched index by index."""
        left, right = list(resolve(first)), list(resolve(second))
        merged: list[Factor] = []
        while left and right:
            # What was merged before may have bound a node that stands here again.
            left[:1], right[:1] = resolve(left[:1]), resolve(right[:1])
            f, g = left.pop(0), right.pop(0)
            if f.size == g.size:
                merged += self._meet(f, g, why)
                continue
            big, small, rest = (f, g, left) if f.size > g.size else (g, f, right)
            halves = self.cut(big, small.size, why) if big.size % small.size == 0 else None
            if halves is None:
                return self._give_up((*merged, f, g, *left, *right), first, second, why)
            head, tail = halves
            other = right if rest is left else left
            rest[:0] = [*head, *tail]
            other.insert(0, small)
        if left or right:
            return self._give_up((*merged, *left, *right), first, second, why)
        return tuple(merged)

    def _give_up(self, factors: Label, first: Label, second: Label, why: Reason) -> Label:
        self.pin(factors, dataclasses.replace(why, text=f"{why.text} (its factors do not nest)"))
        self.pin(first, why)
        self.pin(second, why)
        return self.fixed(length(first), why)

    def _meet(self, f: Factor, g: Factor, why: Reason) -> Label:
        """Merges two factors of equal length."""
        if f is g or isinstance(g, Uniform):
            return (f,)
        if isinstance(f, Uniform):
            return (g,)
        if isinstance(f, Node) and isinstance(g, Node):
            if (not f.listed, f.pin is None, f.serial) > (not g.listed, g.pin is None, g.serial):
                f, g = g, f
            g.link = (f,)
            return (f,)
        if isinstance(f, Stack) or isinstance(g, Stack):
            return self._meet_stacks(f, g, why)
        if isinstance(f, Node) or isinstance(g, Node):
            node, other = (f, g) if isinstance(f, Node) else (g, f)
            if node.listed:
                self.pin((other,), why)
                return (node,)
            node.link = self.materialise(self.collapse((other,), why))
            if node.pin is not None:
                self.pin(node.link, node.pin)
            return (node,)
        return self._meet_sums(f, g, why)

    def _meet_sums(self, f: Sum, g: Sum, why: Reason) -> Label:
        edges = sorted({*_edges(f), *_edges(g)})
        pieces = []
        for start, stop in itertools.pairwise(edges):
            parts = [self.part((s,), start, stop) for s in (f, g)]
            if parts[0] is None or parts[1] is None:
                self.pin((f, g), dataclasses.replace(why, text=f"{why.text} (its pieces do not nest)"))
                return self.fixed(f.size, why)
            pieces.append(self.unify(parts[0], parts[1], why))
        return (Sum(tuple(pieces)),)

    def _meet_stacks(self, f: Factor, g: Factor, why: Reason) -> Label:
        both = isinstance(f, Stack) and isinstance(g, Stack)
        if both and resolve((f.over,)) == resolve((g.over,)) and len(f.choices) == len(g.choices):
            pairs = zip(f.choices, g.choices, strict=True)
            return (Stack(f.over, tuple(self.unify(a, b, why) for a, b in pairs)),)
        return self.unify(self.collapse((f,), why), self.collapse((g,), why), why)

    def collapse(self, label: Label, why: Reason, keep: frozenset[Label] = frozenset()) -> Label:
        """The label with every stack, but those over a label in ``keep``, replaced by the merger of its choices."""
        factors: list[Factor] = []
        for factor in resolve(label):
            if isinstance(factor, Sum):
                factors.append(Sum(tuple(self.collapse(piece, why, keep) for piece in factor.pieces)))
            elif isinstance(factor, Stack) and resolve((factor.over,)) not in keep:
                merged = self.collapse(factor.choices[0], why, keep)
                for choice in factor.choices[1:]:
                    merged = self.unify(merged, self.collapse(choice, why, keep), why)
                factors += resolve(merged)
            else:
                factors.append(factor)
        return tuple(factors)

    # -- taking labels apart ------------------------------------------------------------------------------------

    def cut(self, factor: Factor, lead: int, why: Reason) -> tuple[Label, Label] | None:
        """Divides a factor into a leading part of length ``lead`` and the rest, or None where it does not divide."""
        trail = factor.size // lead
        if isinstance(factor, Uniform):
            return uniform(lead), uniform(trail)
        if isinstance(factor, Node):
            if factor.listed:
                return None
            if factor.pin is not None:
                head, tail = self.fixed(lead, factor.pin), self.fixed(trail, factor.pin)
            else:
                head, tail = self.family(
                    (lead, trail), ((*factor.key, "lead", lead), (*factor.key, "trail", trail))
                )
            factor.link = (*head, *tail)
            return head, tail
        if isinstance(factor, Stack):
            parts = [self.regroup(choice, (lead, trail), why) for choice in factor.choices]
            if any(part is None for part in parts):
                return None
            return tuple((Stack(factor.over, tuple(part[i] for part in parts)),) for i in range(2))  # type: ignore
        return self._cut_sum(factor, lead, trail, why)

    def _cut_sum(self, factor: Sum, lead: int, trail: int, why: Reason) -> tuple[Label, Label] | None:
        if any(length(piece) % trail for piece in factor.pieces):
            return None
        parts = [self.regroup(piece, (length(piece) // trail, trail), why) for piece in factor.pieces]
        if any(part is None for part in parts):
            return None
        if len(parts) == lead <= STACK_LIMIT:
            over = self.listed(lead, Reason("concatenate", "has its entries put side by side", why.source))
            return over, (Stack(over[0], tuple(part[1] for part in parts)),)  # type: ignore
        tail = parts[0][1]  # type: ignore
        for part in parts[1:]:
            tail = self.unify(tail, part[1], why)  # type: ignore
        return (Sum(tuple(part[0] for part in parts)),), tail  # type: ignore

    def regroup(self, label: Label, sizes: Iterable[int], why: Reason) -> list[Label] | None:
        """The labels of axes of the given sizes that the axis is reshaped to, or None where factors straddle."""
        factors = list(resolve(label))
        groups: list[Label] = []
        for wanted in sizes:
            group: list[Factor] = []
            while wanted > 1:
                if not factors:
                    return None
                factors[:1] = resolve(factors[:1])
                factor = factors.pop(0)
                if wanted % factor.size == 0:
                    group.append(factor)
                    wanted //= factor.size
                    continue
                halves = self.cut(factor, wanted, why) if factor.size % wanted == 0 else None
                if halves is None:
                    return None
                group += resolve(halves[0])
                factors[:0] = resolve(halves[1])
                wanted = 1
            groups.append(tuple(group))
        return groups if not factors else None

    def part(self, label: Label, start: int, stop: int) -> Label | None:
        """The label of the slice [start, stop) of an axis, or None where the cut goes across factors."""
        if start == 0 and stop == length(label):
            return label
        factors = resolve(label)
        head, rest = factors[0], factors[1:]
        stride = length(rest)
        if start % stride == 0 and stop % stride == 0:
            first, last = start // stride, stop // stride
            sliced = self._part_factor(head, first, last)
            return None if sliced is None else sliced + self.pick_up(rest)
        row = start // stride
        if (stop - 1) // stride != row:
            return None
        if self._part_factor(head, row, row + 1) is None:
            return None
        return self.part(self.pick_up(rest), start - row * stride, stop - row * stride)

    def _part_factor(self, factor: Factor, start: int, stop: int) -> Label | None:
        if start == 0 and stop == factor.size:
            return (factor,)
        if isinstance(factor, Uniform):
            return uniform(stop - start)
        if isinstance(factor, Node) and factor.listed:
            label = (Node(stop - start, pin=factor.pin, listed=True),) if stop - start > 1 else ()
            self.picks.append((factor, start, stop, label))
            return label
        if isinstance(factor, Node):
            edges = sorted({0, start, stop, factor.size})
            pieces = [
                (Node(b - a, (*factor.key, "part", a, b), factor.pin),) if b - a > 1 else ()
                for a, b in itertools.pairwise(edges)
            ]
            factor.link = (Sum(tuple(pieces)),)
            return pieces[edges.index(start)]
        if isinstance(factor, Stack):
            parts = [self.part(choice, start, stop) for choice in factor.choices]
            return None if any(part is None for part in parts) else (Stack(factor.over, tuple(parts)),)  # type: ignore
        return self._part_sum(factor, start, stop)

    def _part_sum(self, factor: Sum, start: int, stop: int) -> Label | None:
        pieces = []
        for piece, (low, high) in zip(factor.pieces, itertools.pairwise(_edges(factor)), strict=True):
            inside = max(start, low), min(stop, high)
            if inside[0] >= inside[1]:
                continue
            part = self.part(piece, inside[0] - low, inside[1] - low)
            if part is None:
                return None
            pieces.append(part)
        return pieces[0] if len(pieces) == 1 else (Sum(tuple(pieces)),)

    def pick_up(self, label: Label) -> Label:
        """Narrows the stacks of a label to the slices taken since `picks` was emptied."""
        if not self.picks or not self.stacks:
            return label
        factors: list[Factor] = []
        for factor in resolve(label):
            if isinstance(factor, Stack):
                root = resolve((factor.over,))[0]
                for node, start, stop, narrowed in self.picks:
                    if resolve((node,)) == (root,) and len(factor.choices) == root.size:
                        chosen = factor.choices[start:stop]
                        factors += resolve(chosen[0]) if stop - start == 1 else (Stack(narrowed[0], chosen),)  # type: ignore
                        break
                else:
                    factors.append(factor)
            elif isinstance(factor, Sum):
                factors.append(Sum(tuple(self.pick_up(piece) for piece in factor.pieces)))
            else:
                factors.append(factor)
        return tuple(factors)


def _edges(factor: Sum) -> list[int]:
    return [0, *itertools.accumulate(length(piece) for piece in factor.pieces)]
