"""Long axes that nothing moves, as if they might be permuted: a few maps in place of a coefficient for each index."""

import dataclasses
import itertools
from collections.abc import Iterator

from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION, Group
from geojax.symmetry.action.layout import Block, Cut, Layout, Part
from geojax.symmetry.action.spec import SymmetrySpec


def with_long_axes_permuted(spec: SymmetrySpec, longest: int) -> SymmetrySpec:
    """The spec with a permutation of every axis of more than ``longest`` indices that no group moves.

    An axis with a name is one axis wherever it stands, in another spec too; one without is that of its place in its
    leaf. What commutes with the larger group commutes with the smaller.
    """
    groups: dict[str, Group] = {}
    leaves = []
    for leaf in spec.leaves:
        numbers = itertools.count()
        leaves.append(dataclasses.replace(leaf, layout=_layout(leaf.layout, leaf, longest, numbers, groups)))
    if not groups:
        return spec
    return dataclasses.replace(spec, members=(*spec.members, *groups.items()), leaves=tuple(leaves))


def _layout(
    layout: Layout, leaf: Leaf, longest: int, numbers: Iterator[int], groups: dict[str, Group]
) -> Layout:
    if isinstance(layout, Cut):
        pieces = (_layout(piece, leaf, longest, numbers, groups) for piece in layout.pieces)
        return dataclasses.replace(layout, pieces=tuple(pieces))
    number = next(numbers)

    def opened(place: int, part: Part) -> Part:
        if part.moves or part.size <= longest:
            return part
        name = part.name or f"{leaf.path}[{part.axis}]#{number}.{place}"
        group = f"{name}:long"
        groups[group] = Group(PERMUTATION, part.size, axis=name)
        return dataclasses.replace(part, name=name, moves=((group, 1),))

    return Block(tuple(opened(place, part) for place, part in enumerate(layout.parts)), layout.moves)
