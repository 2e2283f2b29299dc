"""How groups move the product of two tensors, and which products undo scales, signs or matrices."""

import dataclasses
from collections.abc import Mapping

from geojax.symmetry.action.groups import GENERAL_LINEAR, MATRIX_KINDS, PERMUTATION, SCALING, Group
from geojax.symmetry.action.layout import Block, Part

Groups = Mapping[str, Group]
Moves = tuple[tuple[str, int], ...]


@dataclasses.dataclass(frozen=True)
class Product:
    """The product of a tensor with one that has all of its axes, entry by entry, summed along some axes.

    Attributes:
        block: How groups move it.
        where: For each axis of the first, the axis of the second that has its index.
        summed: Axes of the second along which matrices cancel, and the product is summed.
    """

    block: Block
    where: tuple[int, ...]
    summed: tuple[int, ...]


def product_of(groups: Groups, small: Block, large: Block) -> Product | None:
    """The product of two tensors; None if nothing cancels in it, or if it is no tensor that groups move."""
    where = _aligned(groups, small, large)
    if where is None:
        return None
    moves, cancels = _sum(groups, small.moves, large.moves)
    parts, summed = [], []
    for axis, part in enumerate(large.parts):
        if axis not in where:
            parts.append(part)
            continue
        mine, theirs = small.parts[where.index(axis)].moves, part.moves
        matrices = [[name for name, _ in row if groups[name].kind in MATRIX_KINDS] for row in (mine, theirs)]
        total, some = _sum(groups, mine, theirs)
        cancels |= some
        if any(matrices):
            if matrices[0] != matrices[1] or any(groups[name].kind in MATRIX_KINDS for name, _ in total):
                return None
            summed.append(axis)
            continue
        kept = [name for name, _ in mine if groups[name].kind == PERMUTATION]
        if kept != [name for name, _ in theirs if groups[name].kind == PERMUTATION]:
            return None
        parts.append(dataclasses.replace(part, moves=total))
    return Product(numbered(parts, moves), where, tuple(summed)) if cancels else None


def permuted(groups: Groups, block: Block) -> Block:
    """The block as permutations alone move it: without the axes that matrices mix."""
    matrices = matrix_axes(groups, block)
    kept = [
        dataclasses.replace(
            part, moves=tuple(move for move in part.moves if groups[move[0]].kind == PERMUTATION)
        )
        for axis, part in enumerate(block.parts)
        if axis not in matrices
    ]
    return numbered(kept, ())


def charged(groups: Groups, block: Block) -> Block:
    """The block without the axes that only permutations move, but for those on whose index an element depends."""
    moved = [part for part in block.parts if any(groups[name].kind != PERMUTATION for name, _ in part.moves)]
    parents = {parent for part in moved for name, _ in part.moves for parent in groups[name].parents}
    return numbered([part for part in block.parts if part in moved or part.name in parents], block.moves)


def matrix_axes(groups: Groups, block: Block) -> tuple[int, ...]:
    """The axes that matrices mix."""
    return tuple(
        axis
        for axis, part in enumerate(block.parts)
        if any(groups[name].kind in MATRIX_KINDS for name, _ in part.moves)
    )


def numbered(parts: list[Part], moves: Moves) -> Block:
    """A block of these axes, in their order."""
    return Block(tuple(dataclasses.replace(part, axis=axis) for axis, part in enumerate(parts)), moves)


def place(part: Part) -> tuple[str, Moves]:
    """Where an axis comes in a hidden tensor, so that leaves with the same axes in another order share one."""
    return part.name, part.moves


def _aligned(groups: Groups, small: Block, large: Block) -> tuple[int, ...] | None:
    """For each axis of one block the axis of the same name of another; None if there is none.

    Where a name occurs twice (a recurrent kernel), the other block must be the dual one, whose axes are told apart by
    how groups move them.
    """
    names, others = ([part.name for part in block.parts] for block in (small, large))
    if len(set(names)) == len(names) and len(set(others)) == len(others):
        return tuple(map(others.index, names)) if set(names) <= set(others) else None
    parts = [dataclasses.replace(part, moves=_turned(groups, part.moves)) for part in small.parts]
    order = sorted(range(len(parts)), key=lambda axis: place(parts[axis]))
    dual = numbered([parts[axis] for axis in order], _turned(groups, small.moves))
    return tuple(map(order.index, range(len(order)))) if dual == large else None


def _turned(groups: Groups, moves: Moves) -> Moves:
    inverted = (SCALING, GENERAL_LINEAR)
    return tuple((name, -e if groups[name].kind in inverted else e) for name, e in moves)


def _sum(groups: Groups, mine: Moves, theirs: Moves) -> tuple[Moves, bool]:
    """How groups move a product, and whether one of them no longer does that moved both factors."""
    total, cancels = dict(theirs), False
    for name, exponent in mine:
        kind = groups[name].kind
        if kind == PERMUTATION:
            total[name] = 1
            continue
        both = name in total
        found = total.pop(name, 0) + exponent
        if kind not in (SCALING, GENERAL_LINEAR):
            found %= 2
        if found:
            total[name] = found
        cancels |= both and not found
    order = [name for name, _ in theirs] + [name for name, _ in mine]
    return tuple((name, total[name]) for name in dict.fromkeys(order) if name in total), cancels
