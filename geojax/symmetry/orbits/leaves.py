"""The array leaves of a model by path: moved by an element without a second check, and read unit by unit."""

from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.tree import path_name
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.acting import is_moved, move_block
from geojax.symmetry.action.elements import acting_order
from geojax.symmetry.action.layout import Block, blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.reading import Leaves
from geojax.typing import Params


def move_leaves(spec: SymmetrySpec, element: Mapping[str, Array], leaves: Leaves) -> Leaves:
    """What `geojax.symmetry.act` does, on leaves that have been checked."""
    order = acting_order(spec, element)
    moved = dict(leaves)
    for leaf in spec.leaves:
        if is_moved(leaf.layout, element):
            pieces = zip(blocks(leaf.layout), split(leaf.layout, leaves[leaf.path]), strict=True)
            arrays = [move_block(spec.groups, order, block, piece, element) for block, piece in pieces]
            moved[leaf.path] = join(leaf.layout, arrays, leaf.shape)
    return moved


def move_tree(spec: SymmetrySpec, element: Mapping[str, Array], params: Params) -> Params:
    """What `geojax.symmetry.act` does, on a tree that has been checked."""
    return with_leaves(params, move_leaves(spec, element, dict(array_leaves(params))))


def with_leaves(params: Params, leaves: Mapping[str, Array]) -> Params:
    """The tree with the arrays of ``leaves`` at their paths; all other leaves stay."""

    def replace(path, leaf):
        return leaves.get(path_name(path), leaf)

    return jax.tree_util.tree_map_with_path(replace, params)


def real_leaves(leaves: Leaves) -> list[Array]:
    """The floating leaves."""
    return [leaf for leaf in leaves.values() if jnp.issubdtype(leaf.dtype, jnp.floating)]


def block_arrays(spec: SymmetrySpec, leaves: Leaves) -> Iterator[tuple[Block, Array]]:
    """Every block of every floating leaf, with its array."""
    for leaf in spec.leaves:
        value = leaves[leaf.path]
        if jnp.issubdtype(value.dtype, jnp.floating):
            yield from zip(blocks(leaf.layout), split(leaf.layout, value), strict=True)


def unit_weights(spec: SymmetrySpec, name: str, leaves: Leaves) -> Iterator[tuple[Block, int, Array]]:
    """The weights of each unit of a group, once for every axis of a block that the group moves.

    A block that the group multiplies as a whole is one unit. Yields the block, the exponent with which the group acts,
    and an array [parents..., units, rest].
    """
    group = spec.groups[name]
    units = (*group.parent_sizes, group.size)
    for block, array in block_arrays(spec, leaves):
        names = [part.name for part in block.parts]
        if name in dict(block.moves):
            yield block, dict(block.moves)[name], jnp.reshape(array, (*units, -1))
        for axis, part in enumerate(block.parts):
            exponent = dict(part.moves).get(name)
            if exponent is not None:
                first = [*(names.index(parent) for parent in group.parents), axis]
                rest = [k for k in range(len(names)) if k not in first]
                yield block, exponent, jnp.reshape(jnp.transpose(array, (*first, *rest)), (*units, -1))
