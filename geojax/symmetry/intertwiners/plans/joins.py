"""All diagrams between two blocks of several axes: one rule for each family of points, children within parents."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence

from geojax.symmetry.intertwiners.drawings import matchings
from geojax.symmetry.intertwiners.drawings.partitions import Parts, set_partitions
from geojax.symmetry.intertwiners.plans.points import (
    HELD,
    LINEAR,
    PAIRS,
    RIGID,
    TURNED,
    WALLED,
    Point,
    Points,
)


@dataclasses.dataclass(frozen=True)
class Term:
    """One diagram: a number for every axis, equal where axes have one index.

    Attributes:
        outer: Labels of the axes of the output; labels count in order of appearance, first here, then in ``inner``.
        inner: Labels of the axes of the input.
        sizes: Length of the axes of each label.
        dense: Labels each of whose indices has its own coefficient.
        heads: Labels that stand in a determinant together.
        apart: Sets of dense labels of one axis, whose indices must differ.
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    sizes: tuple[int, ...]
    dense: frozenset[int] = frozenset()
    heads: tuple[tuple[int, ...], ...] = ()
    apart: tuple[tuple[int, ...], ...] = ()

    @property
    def count(self) -> int:
        """How many maps it stands for: the index tuples of its dense labels."""
        bound = {label for labels in self.apart for label in labels}
        free = math.prod(self.sizes[label] for label in self.dense - bound)
        return free * math.prod(math.perm(self.sizes[labels[0]], len(labels)) for labels in self.apart)


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """Blocks of some points of one family under the same parents."""

    blocks: Parts
    head: tuple[int, ...] = ()


MOST = 20_000
"""Most diagrams between two blocks."""

MOST_POINTS = 10
"""Most axes of one family in two blocks: ten points have 115,975 partitions."""


@functools.lru_cache(maxsize=4096)
def terms(points: Points) -> tuple[Term, ...]:
    """The diagrams of two blocks; linearly independent, and together all equivariant maps.

    Raises:
        ValueError: If there are more than `MOST`.
    """
    every, num_out = points
    pending = sorted({point.family for point in every})
    found = []
    for labels, facts in _labelled(every, pending, {}, ()):
        if len(found) >= MOST:
            raise _too_many(len(every))
        found.append(_term(every, num_out, labels, facts))
    return tuple(found)


def _labelled(
    points: Sequence[Point],
    pending: Sequence[int],
    labels: dict[int, int],
    facts: tuple[tuple[str, _Drawn], ...],
) -> Iterator[tuple[dict[int, int], tuple[tuple[str, _Drawn], ...]]]:
    """Every way to label the points of the pending families, parents before children."""
    if not pending:
        yield labels, facts
        return
    members = {family: [i for i, point in enumerate(points) if point.family == family] for family in pending}
    family = next(
        family
        for family in pending
        if all(parent in labels for i in members[family] for parent in points[i].parents)
    )
    rest = [other for other in pending if other != family]
    rule = points[members[family][0]].rule
    together: dict[tuple[int, ...], list[int]] = {}
    for i in members[family]:
        together.setdefault(tuple(labels[parent] for parent in points[i].parents), []).append(i)
    for choice in itertools.product(*(_drawn(points, rule, mine) for mine in together.values())):
        named = dict(labels)
        for drawn in choice:
            for block in drawn.blocks:
                named |= dict.fromkeys(block, min(block))
        yield from _labelled(points, rest, named, (*facts, *((rule, drawn) for drawn in choice)))


def _drawn(points: Sequence[Point], rule: str, mine: list[int]) -> list[_Drawn]:
    """The diagrams of some points of one family that have the same parents."""
    size = points[mine[0]].size
    if rule != HELD and len(mine) > MOST_POINTS:
        raise _too_many(len(mine))

    def allowed(block: tuple[int, ...]) -> bool:
        return _neutral([points[i] for i in block])

    if rule == HELD:
        return [_Drawn(tuple((i,) for i in mine))]
    if rule in (PAIRS, TURNED):
        found = [_Drawn(pairs) for pairs in matchings.orthogonal(mine, size) if all(map(allowed, pairs))]
        if rule == TURNED:
            for head, pairs in matchings.rotational(mine, size):
                if all(map(allowed, (*pairs, *((i,) for i in head)))):
                    found.append(_Drawn((*((i,) for i in head), *pairs), head))
        return found
    if rule == WALLED:
        charges = [_linear_charge(points[i]) for i in mine]
        return [_Drawn(pairs) for pairs in matchings.walled(mine, charges, size) if all(map(allowed, pairs))]
    return [_Drawn(parts) for parts in set_partitions(mine, size, allowed)]


def _too_many(axes: int) -> ValueError:
    return ValueError(
        f"linear_maps: too many maps between two leaves that have {axes} axes together; at most {MOST_POINTS} axes of "
        f"one group and {MOST} diagrams are counted out. Take out groups with spec.without, or go through tensors of "
        "fewer axes."
    )


def _neutral(block: Sequence[Point]) -> bool:
    """Whether every scaling and sign leaves the product of some indices of one axis as it is."""
    total: dict[tuple[str, bool], int] = {}
    for point in block:
        for group, charge, parity in point.charges:
            total[group, parity] = total.get((group, parity), 0) + charge
    return all(charge % 2 == 0 if parity else charge == 0 for (_, parity), charge in total.items())


def _linear_charge(point: Point) -> int:
    """The exponent of the linear group that moves a point; other groups on the axis come into `_neutral`."""
    return next(1 if charge > 0 else -1 for group, charge, _ in point.charges if group.startswith(LINEAR))


def _term(
    points: Sequence[Point],
    num_out: int,
    labels: dict[int, int],
    facts: Sequence[tuple[str, _Drawn]],
) -> Term:
    number: dict[int, int] = {}
    for i in range(len(points)):
        number.setdefault(labels[i], len(number))
    of = [number[labels[i]] for i in range(len(points))]
    sizes = [0] * len(number)
    for i, point in enumerate(points):
        sizes[of[i]] = point.size
    dense = frozenset(of[i] for i, point in enumerate(points) if point.rule in (HELD, RIGID))
    heads = tuple(tuple(of[i] for i in drawn.head) for _, drawn in facts if drawn.head)
    apart = tuple(
        tuple(of[block[0]] for block in drawn.blocks)
        for rule, drawn in facts
        if rule == RIGID and len(drawn.blocks) > 1
    )
    return Term(tuple(of[:num_out]), tuple(of[num_out:]), tuple(sizes), dense, heads, apart)
