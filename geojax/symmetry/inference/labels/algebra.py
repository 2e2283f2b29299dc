"""Solving equations between labels: merging nodes, binding them to products and sums, pinning what does not fit."""

import dataclasses
import itertools
from collections.abc import Iterable

from geojax.symmetry.inference.labels.arithmetic import Join
from geojax.symmetry.inference.labels.axes import (
    STACK_LIMIT,
    Factor,
    Label,
    Marked,
    Node,
    Reason,
    Stack,
    Sum,
    Uniform,
    edges,
    length,
    resolve,
    terminals,
    uniform,
)
from geojax.symmetry.inference.labels.domain import Domain
from geojax.symmetry.inference.labels.label_domain import LabelDomain


class Algebra:
    """Solves equations between labels.

    Attributes:
        domain: How two factors meet, and what becomes of marked factors.
        enumerate_keys: Keys of nodes whose indices the program reads one by one; nodes made beside such a node get
            one label for each of its indices.
        stacks: Whether there may be a `Stack`; if not, the work for stacks is skipped.
        picks: The slices taken of listed nodes in the equation at hand: (node, start, stop, label of the slice).
        cuts: The source lines at which nodes were cut into pieces, by the nodes' keys.
    """

    def __init__(
        self, domain: Domain | None = None, *, enumerate_keys: frozenset = frozenset(), stacks: bool = False
    ):
        self.domain: Domain = LabelDomain() if domain is None else domain
        self.enumerate_keys = enumerate_keys
        self.stacks = stacks
        self.picks: list[tuple[Node, int, int, Label]] = []
        self.cuts: dict[tuple, str] = {}

    def here(self) -> str:
        """The source line of the equation at hand; empty if it is not known."""
        return ""

    # -- making labels ------------------------------------------------------------------------------------------

    def fixed(self, size: int, why: Reason) -> Label:
        """The label of a fresh axis that is held fixed."""
        return (Node(size, pin=why),) if size != 1 else ()

    def listed(self, size: int, why: Reason) -> Node:
        """A fresh held node whose entries are read one by one, so that a stack may be over it."""
        self.stacks = True
        return Node(size, pin=why, listed=True)

    def family(self, sizes: Iterable[int], keys: Iterable[tuple]) -> list[Label]:
        """Fresh free labels for the axes of one array; if one of them is enumerated, the others depend on its index."""
        sized = list(zip(sizes, keys, strict=True))
        over = [
            i for i, (size, key) in enumerate(sized) if key in self.enumerate_keys and 1 < size <= STACK_LIMIT
        ]
        if not over:
            return [(Node(size, key),) if size != 1 else () for size, key in sized]
        first = over[0]
        key = sized[first][1]
        why = Reason("slice", "has its entries read one by one", self.cuts.get(key, ""))
        index = self.listed(sized[first][0], why)
        index.key = key
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
        """The label with uniform factors replaced by fresh free nodes, so that a node can be bound to it."""
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
        self.domain.stop(label)
        for factor in list(terminals(label)):
            if isinstance(factor, Node) and factor.pin is None:
                factor.pin = why

    def unify(self, first: Label, second: Label, why: Reason, join: Join = Join.EQUAL) -> Label:
        """The common label of two axes that are matched index by index, whose entries are combined as ``join`` says."""
        left, right = list(resolve(first)), list(resolve(second))
        merged: list[Factor] = []
        while left and right:
            # The factors before these may have contained the same nodes, which are bound now.
            left[:1], right[:1] = resolve(left[:1]), resolve(right[:1])
            if left[:1] and left[0].size == 1:
                left.pop(0)
                continue
            if right[:1] and right[0].size == 1:
                right.pop(0)
                continue
            if not left or not right:
                break
            f, g = left.pop(0), right.pop(0)
            if f.size == g.size:
                merged += self.domain.meet(self, f, g, why, join)
                continue
            big, small, rest = (f, g, left) if f.size > g.size else (g, f, right)
            halves = self.cut(big, small.size, why) if big.size % small.size == 0 else None
            if halves is None:
                return self._give_up((*merged, f, g, *left, *right), first, second, why)
            head, tail = halves
            other = right if rest is left else left
            rest[:0] = [*head, *tail]
            other.insert(0, small)
        if any(factor.size != 1 for factor in (*left, *right)):
            return self._give_up((*merged, *left, *right), first, second, why)
        return tuple(merged)

    def _give_up(self, factors: Label, first: Label, second: Label, why: Reason) -> Label:
        self.pin(factors, dataclasses.replace(why, text=f"{why.text} (its factors do not nest)"))
        self.pin(first, why)
        self.pin(second, why)
        return self.fixed(length(first), why)

    def merge(self, f: Node, g: Node) -> Label:
        """Makes two nodes one; a listed node stays, then a held one, then the older one."""
        if f is g:
            return (f,)
        if (not f.listed, f.pin is None, f.serial) > (not g.listed, g.pin is None, g.serial):
            f, g = g, f
        if f.pin is not None and g.pin == dataclasses.replace(f.pin, source=g.pin.source if g.pin else ""):
            f.pin = f.pin if f.pin.source else g.pin  # the same reason, with the line if one of them knows it
        g.link = (f,)
        return (f,)

    def bind(self, node: Node, other: Factor, why: Reason) -> Label:
        """Lets a node stand for a sum; a listed node stays as it is, and the sum is pinned."""
        if node.listed:
            self.pin((other,), why)
            return (node,)
        node.link = self.materialise(self.collapse((other,), why))
        if node.pin is not None:
            self.pin(node.link, node.pin)
        return (node,)

    def meet_sums(self, f: Sum, g: Sum, why: Reason, join: Join) -> Label:
        """Merges two sums piece by piece, after cutting both at all edges."""
        cuts = sorted({*edges(f), *edges(g)})
        pieces = []
        for start, stop in itertools.pairwise(cuts):
            parts = [self.part((s,), start, stop) for s in (f, g)]
            if parts[0] is None or parts[1] is None:
                self.pin((f, g), dataclasses.replace(why, text=f"{why.text} (its pieces do not nest)"))
                return self.fixed(f.size, why)
            pieces.append(self.unify(parts[0], parts[1], why, join))
        return (Sum(tuple(pieces)),)

    def meet_stacks(self, f: Factor, g: Factor, why: Reason, join: Join) -> Label:
        """Merges two stacks choice by choice if they are over one index; otherwise all choices become one."""
        if isinstance(f, Stack) and isinstance(g, Stack) and resolve((f.over,)) == resolve((g.over,)):
            pairs = zip(f.choices, g.choices, strict=True)
            return (Stack(f.over, tuple(self.unify(a, b, why, join) for a, b in pairs)),)
        return self.unify(self.collapse((f,), why), self.collapse((g,), why), why, join)

    def collapse(self, label: Label, why: Reason, keep: frozenset[Label] = frozenset()) -> Label:
        """The label in which every stack, except those over a label in ``keep``, has its choices merged into one."""
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
        """Divides a factor into a leading part of length ``lead`` and the rest; None if it cannot be divided."""
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
        if isinstance(factor, Marked):
            return self.domain.cut(self, factor, lead, why)
        return self._cut_sum(factor, lead, trail, why)

    def _cut_sum(self, factor: Sum, lead: int, trail: int, why: Reason) -> tuple[Label, Label] | None:
        if any(length(piece) % trail for piece in factor.pieces):
            return None
        parts = [self.regroup(piece, (length(piece) // trail, trail), why) for piece in factor.pieces]
        if any(part is None for part in parts):
            return None
        if len(parts) == lead <= STACK_LIMIT:
            over = self.listed(lead, Reason("concatenate", "has its entries put side by side", why.source))
            return (over,), (Stack(over, tuple(part[1] for part in parts)),)  # type: ignore
        tail = parts[0][1]  # type: ignore
        for part in parts[1:]:
            tail = self.unify(tail, part[1], why)  # type: ignore
        return (Sum(tuple(part[0] for part in parts)),), tail  # type: ignore

    def regroup(self, label: Label, sizes: Iterable[int], why: Reason) -> list[Label] | None:
        """The labels of the axes of given sizes that an axis is reshaped to; None if a factor would be cut across."""
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
        """The label of the slice [start, stop) of an axis; None if the slice cuts across factors."""
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
            if factor.key and factor.key not in self.cuts:
                self.cuts[factor.key] = self.here()
            cuts = sorted({0, start, stop, factor.size})
            pieces = [
                (Node(b - a, (*factor.key, "part", a, b), factor.pin),) if b - a > 1 else ()
                for a, b in itertools.pairwise(cuts)
            ]
            factor.link = (Sum(tuple(pieces)),)
            return pieces[cuts.index(start)]
        if isinstance(factor, Stack):
            parts = [self.part(choice, start, stop) for choice in factor.choices]
            if any(part is None for part in parts):
                return None
            return (Stack(factor.over, tuple(parts)),) if stop - start > 1 else ()  # type: ignore
        if isinstance(factor, Marked):
            return self.domain.part(self, factor, start, stop)
        return self._part_sum(factor, start, stop)

    def _part_sum(self, factor: Sum, start: int, stop: int) -> Label | None:
        pieces = []
        for piece, (low, high) in zip(factor.pieces, itertools.pairwise(edges(factor)), strict=True):
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
