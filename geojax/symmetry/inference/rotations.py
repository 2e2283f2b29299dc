"""Rotations of frequency pairs: the part of the general linear gauge that rotary position embeddings leave.

Such an embedding rotates the entries of queries and keys in pairs, by angles that depend on the position. Plane
rotations commute, so each pair may be rotated once more, and scaled. The scaling is found with the other scalings. The
labels show only that two halves of an axis scale together; the rotation is proposed here, and `verify` decides.
"""

import dataclasses

from geojax.symmetry.action.groups import ORTHOGONAL, SCALING, SIGN, Group
from geojax.symmetry.action.layout import Block, Cut, Layout, Part, blocks
from geojax.symmetry.action.spec import SymmetrySpec


def propose(spec: SymmetrySpec) -> tuple[SymmetrySpec, list[str]]:
    """The spec with a rotation group for every scaling that moves two equal halves of an axis; also their names."""
    names = []
    for scaling, group in spec.members:
        if group.kind != SCALING or group.axis in spec.groups or group.axis == scaling:
            continue
        name = f"{group.axis}:{ORTHOGONAL}"
        layouts = [_pair(leaf.layout, scaling, name) for leaf in spec.leaves]
        fits = all(
            layout is not None and _fits(layout, leaf.shape)
            for layout, leaf in zip(layouts, spec.leaves, strict=True)
        )
        if not fits or name in spec.groups:
            continue
        rotation = Group(
            ORTHOGONAL,
            2,
            (*group.parents, group.axis),
            (*group.parent_sizes, group.size),
            axis=f"{group.axis}:pair",
            connected=True,
        )
        leaves = (
            dataclasses.replace(leaf, layout=layout)
            for leaf, layout in zip(spec.leaves, layouts, strict=True)
        )
        spec = dataclasses.replace(spec, members=(*spec.members, (name, rotation)), leaves=tuple(leaves))
        names.append(name)
    return spec, names


def drop_half_turns(spec: SymmetrySpec, rotations: list[str]) -> SymmetrySpec:
    """The spec without the signs that are rotations by half a turn."""
    turned = {spec.groups[name].axis.removesuffix(":pair") for name in rotations if name in spec.groups}
    return spec.without(*(n for n, group in spec.members if group.kind == SIGN and group.axis in turned))


def _pair(layout: Layout, scaling: str, rotation: str) -> Layout | None:
    """The layout in which the two halves that a scaling moves are one axis; None if it moves anything else."""
    if isinstance(layout, Block):
        moved = any(name == scaling for part in (layout, *layout.parts) for name, _ in part.moves)
        return None if moved else layout
    if not any(name == scaling for block in blocks(layout) for part in block.parts for name, _ in part.moves):
        return layout
    if (
        len(layout.pieces) == 2
        and layout.pieces[0] == layout.pieces[1]
        and isinstance(layout.pieces[0], Block)
    ):
        return _joined(layout, layout.pieces[0], scaling, rotation)
    pieces = [_pair(piece, scaling, rotation) for piece in layout.pieces]
    return (
        None if any(piece is None for piece in pieces) else dataclasses.replace(layout, pieces=tuple(pieces))
    )


def _fits(layout: Layout, shape: tuple[int, ...]) -> bool:
    """Whether the sizes of the parts multiply to the leaf's shape, so that the halves were halves of one axis."""
    if not isinstance(layout, Block):
        return True
    sizes = [1] * len(shape)
    for part in layout.parts:
        sizes[part.axis] *= part.size
    return tuple(sizes) == shape


def _joined(cut: Cut, half: Block, scaling: str, rotation: str) -> Block | None:
    """The block with an axis of length 2 for the two halves; None if the scaling is not one along one axis."""
    moved = [part for part in half.parts if scaling in dict(part.moves)]
    if len(moved) != 1 or abs(dict(moved[0].moves)[scaling]) != 1:
        return None
    pair = Part(2, moved[0].axis, f"{moved[0].name}:pair", ((rotation, 1),))
    return Block((*half.parts[: cut.dim], pair, *half.parts[cut.dim :]), half.moves)
