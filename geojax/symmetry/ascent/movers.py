"""From a spec to the compact groups that a matching solves, and back to elements of the spec.

On one axis a spec may have a permutation group beside signs, or beside a group of matrices. A mover is what is left
of them when only compact parts count: permutations with signs in one; or rotations, which hold the permutations, and
which are the compact part of a general linear group. Positive scalings have no compact part.
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array

from geojax._program.arguments import array_leaves
from geojax.symmetry.action.elements import Element, identity
from geojax.symmetry.action.groups import MATRIX_KINDS, ORTHOGONAL, PERMUTATION, SIGN, Group
from geojax.symmetry.action.layout import Block, blocks, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.compact import ROTATION, SIGNED, best, rest, signs
from geojax.symmetry.ascent.problem import Moves, Pair, Problem
from geojax.typing import Params


@dataclasses.dataclass(frozen=True)
class Mover:
    """One compact group of a problem and the groups of the spec that it stands for, empty where there is none."""

    kind: str
    group: Group
    permutation: str = ""
    sign: str = ""
    matrix: str = ""

    @property
    def name(self) -> str:
        """Its name in the problem: that of the matrices, else of the permutations, else of the signs."""
        return self.matrix or self.permutation or self.sign

    @property
    def members(self) -> tuple[str, ...]:
        """The groups of the spec that it stands for."""
        return tuple(filter(None, (self.permutation, self.sign, self.matrix)))


def movers_of(spec: SymmetrySpec) -> tuple[Mover, ...]:
    """The movers of a spec in the order of its groups.

    Signs and matrices that depend on other axes than the permutations beside them have none: they stay. Of several
    groups of signs on an axis one has a mover: one that flips no vector, where there is such a group.
    """
    groups = spec.groups
    axes: dict[str, dict[str, str]] = {}
    for name, group in spec.members:
        beside = axes.setdefault(group.axis or name, {})
        kind = "matrix" if group.kind in MATRIX_KINDS else group.kind
        if kind != SIGN or SIGN not in beside or vectors(spec, beside[SIGN]):
            beside[kind] = name
    found = []
    for beside in axes.values():
        permutation = beside.get(PERMUTATION, "")
        matrix, sign = (
            name if not (name and permutation) or groups[name].parents == groups[permutation].parents else ""
            for name in (beside.get("matrix", ""), beside.get(SIGN, ""))
        )
        if matrix:
            kind = ROTATION if groups[matrix].connected else ORTHOGONAL
            found.append(Mover(kind, groups[matrix], permutation, "", matrix))
        elif sign:
            found.append(Mover(SIGNED if permutation else SIGN, groups[sign], permutation, sign))
        elif permutation:
            found.append(Mover(PERMUTATION, groups[permutation], permutation))
    return tuple(found)


def vectors(spec: SymmetrySpec, name: str) -> list[str]:
    """The paths of the leaves with one axis that a group of signs flips entry by entry."""
    shape = spec.groups[name].shape
    return [
        leaf.path
        for leaf, _, part in spec.occurrences(name)
        if leaf.shape == shape and len(shape) == 1 and dict(part.moves)[name] % 2
    ]


def read_leaves(
    where: str, spec: SymmetrySpec, movers: tuple[Mover, ...], **trees: Params
) -> tuple[Problem, list[list[Array]]]:
    """The matching problem of trees of parameters: every floating or complex leaf, block by block.

    A block that a sign moves as a whole gets an axis of length 1 for it.

    Returns:
        The problem, and the arrays of each tree in the widest dtype that occurs, at least single precision.

    Raises:
        ValueError: If a tree does not fit the spec; the message names it.
    """
    read = []
    for name, params in trees.items():
        try:
            spec.check(params)
        except ValueError as error:
            raise ValueError(f"{where}: {name}: {error}") from error
        read.append(dict(array_leaves(params)))
    numeric = [leaf for leaf in spec.leaves if jnp.issubdtype(read[0][leaf.path].dtype, jnp.inexact)]
    dtype = jnp.result_type(jnp.float32, *(tree[leaf.path].dtype for leaf in numeric for tree in read))
    by_member = {member: mover for mover in movers for member in mover.members}
    pairs = tuple(pair_of(by_member, block) for leaf in numeric for block in blocks(leaf.layout))
    arrays = [
        [x for leaf in numeric for x in split(leaf.layout, jnp.asarray(tree[leaf.path], dtype))]
        for tree in read
    ]
    return Problem(pairs, groups_of(movers), kinds_of(movers)), [
        [x.reshape((1,) * (len(pair.names) - x.ndim) + x.shape) for pair, x in zip(pairs, tree, strict=True)]
        for tree in arrays
    ]


def groups_of(movers: tuple[Mover, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each mover with its parents."""
    return tuple((mover.name, mover.group.parents) for mover in movers)


def kinds_of(movers: tuple[Mover, ...]) -> tuple[tuple[str, str], ...]:
    """The kinds of the movers that are more than permutations."""
    return tuple((mover.name, mover.kind) for mover in movers if mover.kind != PERMUTATION)


def pair_of(by_member: Mapping[str, Mover], block: Block) -> Pair:
    """The labels of a block's axes, with one in front for each sign that moves it as a whole."""
    whole = [by_member[name] for name, power in block.moves if name in by_member and power % 2]
    names, moved = [""] * len(whole), [mover.name for mover in whole]
    signed = list(range(len(whole)))
    for part in block.parts:
        powers = dict(part.moves)
        found = [by_member[name] for name in powers if name in by_member]
        if found and powers.get(found[0].sign, 0) % 2:
            signed.append(len(names))
        names.append(part.name)
        moved.append(found[0].name if found else "")
    return Pair(tuple(names), tuple(moved), tuple(signed))


def resting(movers: tuple[Mover, ...], dtype) -> Moves:
    """The element of a problem that moves nothing."""
    return {
        mover.name: rest(mover.kind, (*mover.group.parent_sizes, mover.group.size), dtype) for mover in movers
    }


def encode(movers: tuple[Mover, ...], element: Mapping[str, Array], dtype) -> Moves:
    """The compact part of an element that has an array for every group."""
    moves = {}
    for mover in movers:
        if mover.matrix:
            # Permutations act first, so that column perm[k] of the product is column k of the matrix.
            total = element[mover.matrix].astype(dtype)
            if mover.permutation:
                order = jnp.argsort(element[mover.permutation], axis=-1)
                total = jnp.take_along_axis(total, order[..., None, :], axis=-1)
            moves[mover.name] = best(mover.kind, total)
            continue
        codes = element[mover.permutation] if mover.permutation else rest(SIGN, mover.group.shape, dtype)
        if mover.sign:
            codes = codes + jnp.where(element[mover.sign] < 0, mover.group.size, 0)
        moves[mover.name] = codes.astype(jnp.int32)
    return moves


def decode(movers: tuple[Mover, ...], spec: SymmetrySpec, moves: Mapping[str, Array], dtype) -> Element:
    """The element of the spec that moves as ``moves``; groups without a mover are at rest."""
    element = {
        name: array if jnp.issubdtype(array.dtype, jnp.integer) else array.astype(dtype)
        for name, array in identity(spec).items()
    }
    for mover in movers:
        value = moves[mover.name]
        if mover.matrix:
            element[mover.matrix] = value.astype(dtype)
            continue
        if mover.permutation:
            element[mover.permutation] = value % mover.group.size if mover.sign else value
        if mover.sign:
            element[mover.sign] = signs(value).astype(dtype)
    return element
