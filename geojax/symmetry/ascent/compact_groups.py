"""The compact groups of a spec, the matching problem that they define, and conversion of their elements.

On one axis a spec may have permutations beside signs, or beside orthogonal or general linear matrices. A matching
solves each axis at once, by the compact part of all its groups: permutations with signs become one group of signed
permutations; matrices become rotations, which contain the permutations and are the compact part of the general linear
group. Positive scalings have no compact part.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array

from geojax.symmetry.action.elements import Element, identity
from geojax.symmetry.action.groups import MATRIX_KINDS, ORTHOGONAL, PERMUTATION, SIGN, Group
from geojax.symmetry.action.layout import Block, blocks, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.ascent.kinds import ROTATION, SIGNED, best, identity_of, signs
from geojax.symmetry.ascent.problem import CompactElement, Pair, Problem
from geojax.symmetry.orbits.reading import Leaves


@dataclasses.dataclass(frozen=True)
class CompactGroup:
    """One group of a problem, and the groups of the spec that it combines; a name is empty if there is no such group.

    Attributes:
        kind: One of the kinds of `kinds`.
        group: The group of the spec that gives the size and the parents.
        permutation: Name of the permutation group.
        sign: Name of the sign group.
        matrix: Name of the orthogonal or general linear group.
    """

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
        """The names of the groups of the spec that it combines."""
        return tuple(filter(None, (self.permutation, self.sign, self.matrix)))


def compact_groups(spec: SymmetrySpec) -> tuple[CompactGroup, ...]:
    """The compact groups of a spec, in the order of the spec.

    Signs and matrices whose parents differ from those of the permutations on the same axis are left out, so that a
    matching does not move them. If an axis has several sign groups, one is taken, if possible one that flips no vector;
    `balanced_models.leftover_signs` decides the others.
    """
    groups = spec.groups
    axes: dict[str, dict[str, str]] = {}
    for name, group in spec.members:
        on_axis = axes.setdefault(group.axis or name, {})
        kind = "matrix" if group.kind in MATRIX_KINDS else group.kind
        if kind != SIGN or SIGN not in on_axis or flipped_vectors(spec, on_axis[SIGN]):
            on_axis[kind] = name
    result = []
    for on_axis in axes.values():
        permutation = on_axis.get(PERMUTATION, "")
        matrix, sign = (
            name if not (name and permutation) or groups[name].parents == groups[permutation].parents else ""
            for name in (on_axis.get("matrix", ""), on_axis.get(SIGN, ""))
        )
        if matrix:
            kind = ROTATION if groups[matrix].connected else ORTHOGONAL
            result.append(CompactGroup(kind, groups[matrix], permutation, "", matrix))
        elif sign:
            kind = SIGNED if permutation else SIGN
            result.append(CompactGroup(kind, groups[sign], permutation, sign))
        elif permutation:
            result.append(CompactGroup(PERMUTATION, groups[permutation], permutation))
    return tuple(result)


def by_member(compact: Sequence[CompactGroup]) -> dict[str, CompactGroup]:
    """The compact group that contains each group of the spec."""
    return {member: group for group in compact for member in group.members}


def flipped_vectors(spec: SymmetrySpec, name: str) -> list[str]:
    """The paths of the leaves with one axis that a sign group flips entry by entry."""
    shape = spec.groups[name].shape
    return [
        leaf.path
        for leaf, _, part in spec.occurrences(name)
        if leaf.shape == shape and len(shape) == 1 and dict(part.moves)[name] % 2
    ]


def make_problem(compact: Sequence[CompactGroup], pairs: Sequence[Pair]) -> Problem:
    """The problem of compact groups on pairs of arrays."""
    return Problem(
        tuple(pairs),
        tuple((group.name, group.group.parents) for group in compact),
        tuple((group.name, group.kind) for group in compact if group.kind != PERMUTATION),
    )


def pair_up(
    spec: SymmetrySpec, compact: Sequence[CompactGroup], models: Sequence[Leaves]
) -> tuple[Problem, list[list[Array]]]:
    """The matching problem of models: every floating or complex leaf, block by block.

    A block that a sign multiplies as a whole gets an axis of length 1 for that sign.

    Args:
        spec: The symmetry.
        compact: Its compact groups.
        models: The array leaves of each model by path, checked against the spec.

    Returns:
        The problem, and the arrays of each model in the dtype `common_dtype`.
    """
    dtype = common_dtype(spec, models)
    numeric = [leaf for leaf in spec.leaves if _is_inexact(models[0][leaf.path])]
    groups = by_member(compact)
    pairs = [pair_of(groups, block) for leaf in numeric for block in blocks(leaf.layout)]
    arrays = []
    for leaves in models:
        pieces = [x for leaf in numeric for x in split(leaf.layout, jnp.asarray(leaves[leaf.path], dtype))]
        arrays.append([with_axes(pair, x) for pair, x in zip(pairs, pieces, strict=True)])
    return make_problem(compact, pairs), arrays


def with_axes(pair: Pair, x: Array) -> Array:
    """The array of a block with the axes of length 1 that its pair has in front."""
    return x.reshape((1,) * (len(pair.names) - x.ndim) + x.shape)


def common_dtype(spec: SymmetrySpec, models: Sequence[Leaves]) -> jnp.dtype:
    """The widest dtype of the floating and complex leaves of all models, at least single precision."""
    numeric = [leaf.path for leaf in spec.leaves if _is_inexact(models[0][leaf.path])]
    return jnp.result_type(jnp.float32, *(leaves[path].dtype for path in numeric for leaves in models))


def pair_of(groups: Mapping[str, CompactGroup], block: Block) -> Pair:
    """The axes of a block, with one in front for each sign that multiplies the whole block.

    ``groups`` gives the compact group of each group of the spec, as `by_member` does.
    """
    whole = [groups[name] for name, exponent in block.moves if name in groups and exponent % 2]
    names, moved_by = [""] * len(whole), [group.name for group in whole]
    signed = list(range(len(whole)))
    for part in block.parts:
        exponents = dict(part.moves)
        on_axis = [groups[name] for name in exponents if name in groups]
        if on_axis and exponents.get(on_axis[0].sign, 0) % 2:
            signed.append(len(names))
        names.append(part.name)
        moved_by.append(on_axis[0].name if on_axis else "")
    return Pair(tuple(names), tuple(moved_by), tuple(signed))


def compact_identity(compact: Sequence[CompactGroup], dtype) -> CompactElement:
    """The element of a problem that moves nothing."""
    return {
        group.name: identity_of(group.kind, (*group.group.parent_sizes, group.group.size), dtype)
        for group in compact
    }


def encode(compact: Sequence[CompactGroup], element: Mapping[str, Array], dtype) -> CompactElement:
    """The compact part of an element that has an array for every group of the spec."""
    encoded = {}
    for group in compact:
        if group.matrix:
            # Permutations act first, so column perm[k] of the product is column k of the matrix.
            total = element[group.matrix].astype(dtype)
            if group.permutation:
                order = jnp.argsort(element[group.permutation], axis=-1)
                total = jnp.take_along_axis(total, order[..., None, :], axis=-1)
            encoded[group.name] = best(group.kind, total)
            continue
        if group.permutation:
            codes = element[group.permutation]
        else:
            codes = identity_of(SIGN, group.group.shape, dtype)
        if group.sign:
            codes = codes + jnp.where(element[group.sign] < 0, group.group.size, 0)
        encoded[group.name] = codes.astype(jnp.int32)
    return encoded


def decode(
    compact: Sequence[CompactGroup], spec: SymmetrySpec, encoded: Mapping[str, Array], dtype
) -> Element:
    """The element of the spec for an element of its compact groups; all other groups are at the identity."""
    element = {
        name: array if jnp.issubdtype(array.dtype, jnp.integer) else array.astype(dtype)
        for name, array in identity(spec).items()
    }
    for group in compact:
        value = encoded[group.name]
        if group.matrix:
            element[group.matrix] = value.astype(dtype)
            continue
        if group.permutation:
            element[group.permutation] = value % group.group.size if group.sign else value
        if group.sign:
            element[group.sign] = signs(value).astype(dtype)
    return element


def _is_inexact(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.inexact)
