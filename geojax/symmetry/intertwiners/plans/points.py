"""The axes of two blocks as the points of diagrams: which rule joins them, and what every group does to them."""

import dataclasses
from collections.abc import Mapping

from geojax.symmetry.action.groups import GENERAL_LINEAR, MATRIX_KINDS, ORTHOGONAL, PERMUTATION, SIGN, Group
from geojax.symmetry.action.layout import Block, Part

PARTITION = "partition"
"""A permutation moves the axis: any points of the family may have one index."""
RIGID = "rigid"
"""Only scalings or signs move it, or children hang on its index: indices can be told apart, each has a coefficient."""
HELD = "held"
"""Nothing moves it: a point of its own, with a coefficient for each index."""
PAIRS = "pairs"
WALLED = "walled"
TURNED = "turned"
"""Orthogonal, linear and rotation groups: points are matched in pairs; rotations have determinants as well."""

LINEAR = "linear "
"""How the number of a general linear group starts, which also says who is matched with whom."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One axis of the output or of the input.

    Attributes:
        size: Its length.
        rule: How the points of its family are joined, one of the words of this module.
        family: Number of the family: points of one family may have one index.
        parents: Places, among all points, of the axes on whose index the groups depend.
        charges: (group, exponent, whether only its parity counts) for scalings, signs and linear groups; the exponents
            of the input have the other sign.
    """

    size: int
    rule: str
    family: int
    parents: tuple[int, ...] = ()
    charges: tuple[tuple[str, int, bool], ...] = ()


Points = tuple[tuple[Point, ...], int]
"""All points, and how many of them are axes of the output."""


def points_of(groups: Mapping[str, Group], output: Block, inner: Block) -> Points | None:
    """The axes of two blocks as points; None if a group multiplies the blocks by different numbers.

    Groups and families are numbered in order of appearance, so that pairs of blocks of one pattern have equal points.
    """
    if not _charges_match(groups, output, inner):
        return None
    parts = [(part, 1) for part in output.parts] + [(part, -1) for part in inner.parts]
    hung: list[tuple[int, ...]] = []
    for start, block in ((0, output), (len(output.parts), inner)):
        names = [part.name for part in block.parts]
        for part in block.parts:
            parents = dict.fromkeys(parent for name, _ in part.moves for parent in groups[name].parents)
            hung.append(tuple(start + names.index(parent) for parent in parents))
    above = {parent for parents in hung for parent in parents}
    families: dict[object, int] = {}
    numbers: dict[str, str] = {}
    points = []
    for place, (part, side) in enumerate(parts):
        charges = []
        for name, exponent in part.moves:
            kind = groups[name].kind
            if kind in (PERMUTATION, ORTHOGONAL):
                continue
            number = numbers.setdefault(name, f"{LINEAR if kind == GENERAL_LINEAR else ''}{len(numbers)}")
            charges.append((number, side * exponent, kind == SIGN))
        rule = _rule(groups, part, bool(charges), place in above)
        orders = tuple(name for name, _ in part.moves if groups[name].kind == PERMUTATION)
        family = families.setdefault(
            (rule, place) if rule == HELD else (rule, part.name, orders), len(families)
        )
        points.append(Point(part.size, rule, family, hung[place], tuple(charges)))
    return tuple(points), len(output.parts)


def is_free(groups: Mapping[str, Group], block: Block) -> bool:
    """Whether the mean of a block is invariant: no scaling, sign or matrix moves it."""
    moves = [*block.moves, *(move for part in block.parts for move in part.moves)]
    return all(groups[name].kind == PERMUTATION for name, _ in moves)


def share_an_axis(output: Block, inner: Block) -> bool:
    """Whether a group moves an axis of both blocks, or both as a whole."""
    moved = [
        {name for moves in (block.moves, *(part.moves for part in block.parts)) for name, _ in moves}
        for block in (output, inner)
    ]
    return bool(moved[0] & moved[1])


def _rule(groups: Mapping[str, Group], part: Part, charged: bool, parent: bool) -> str:
    kinds = {groups[name].kind for name, _ in part.moves}
    if GENERAL_LINEAR in kinds:
        return WALLED
    if ORTHOGONAL in kinds:
        alone = not kinds & {PERMUTATION, SIGN}
        turned = alone and all(
            groups[name].connected for name, _ in part.moves if groups[name].kind in MATRIX_KINDS
        )
        return TURNED if turned else PAIRS
    if PERMUTATION in kinds:
        return PARTITION
    return RIGID if part.name and (charged or parent) else HELD


def _charges_match(groups: Mapping[str, Group], output: Block, inner: Block) -> bool:
    total: dict[str, int] = {}
    for block, side in ((output, 1), (inner, -1)):
        for name, exponent in block.moves:
            total[name] = total.get(name, 0) + side * exponent
    return all(
        charge % 2 == 0 if groups[name].kind == SIGN else charge == 0 for name, charge in total.items()
    )
