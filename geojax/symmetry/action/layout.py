"""How a leaf divides into blocks whose axes the groups move.

An axis of a leaf may be a product of factors (a flattened feature map), a concatenation of pieces (packed gates)
or both, nested. `Cut` and `Block` describe this as a small tree: reshape, split along one axis, go on with each piece,
until every axis of every piece is one `Part` that groups move as a whole.
"""

import dataclasses
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array


@dataclasses.dataclass(frozen=True)
class Part:
    """One axis of a block.

    Attributes:
        size: Its length.
        axis: Number of the leaf's axis that it is a factor of.
        name: Name of the shared axis: parts with the same name have the same index. Empty if nothing moves the part.
        moves: Pairs (group, exponent) of the groups that move it. The exponent is 1 for covariant, -1 for
            contravariant axes, other integers for scalings, and always 1 for permutations.
    """

    size: int
    axis: int
    name: str = ""
    moves: tuple[tuple[str, int], ...] = ()


@dataclasses.dataclass(frozen=True)
class Block:
    """A piece of a leaf with one `Part` for each axis; a group in ``moves`` multiplies the whole block by a number."""

    parts: tuple[Part, ...]
    moves: tuple[tuple[str, int], ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block's array."""
        return tuple(part.size for part in self.parts)


@dataclasses.dataclass(frozen=True)
class Cut:
    """Reshape to ``shape``, split axis ``dim`` into ``sizes``, and go on with the pieces in order."""

    shape: tuple[int, ...]
    dim: int
    sizes: tuple[int, ...]
    pieces: tuple["Layout", ...]


Layout = Block | Cut


def blocks(layout: Layout) -> Iterator[Block]:
    """The blocks of a layout, in the order in which `split` returns their arrays."""
    if isinstance(layout, Block):
        yield layout
        return
    for piece in layout.pieces:
        yield from blocks(piece)


def split(layout: Layout, leaf: Array) -> list[Array]:
    """The arrays of the blocks of ``leaf``, each in its block's shape."""
    if isinstance(layout, Block):
        return [jnp.reshape(leaf, layout.shape)]
    edges = [sum(layout.sizes[:i]) for i in range(len(layout.sizes) + 1)]
    whole = jnp.reshape(leaf, layout.shape)
    arrays = []
    for piece, start, stop in zip(layout.pieces, edges[:-1], edges[1:], strict=True):
        arrays += split(piece, jax.lax.slice_in_dim(whole, start, stop, axis=layout.dim))
    return arrays


def join(layout: Layout, arrays: list[Array], shape: tuple[int, ...]) -> Array:
    """The leaf of the given ``shape`` put together from the arrays of its blocks: the inverse of `split`.

    An array may be longer or shorter along an axis than its block; then the leaf is so too.
    """
    remaining = iter(arrays)

    def build(node: Layout, outer: tuple[int, ...]) -> Array:
        if isinstance(node, Block):
            return _folded(next(remaining), node.shape, outer)
        pieces = []
        for piece, size in zip(node.pieces, node.sizes, strict=True):
            piece_shape = (*node.shape[: node.dim], size, *node.shape[node.dim + 1 :])
            pieces.append(build(piece, piece_shape))
        return _folded(jnp.concatenate(pieces, axis=node.dim), node.shape, outer)

    return build(layout, shape)


def _folded(array: Array, inner: tuple[int, ...], outer: tuple[int, ...]) -> Array:
    """An array folded to the axes of ``outer``, which its own axes refine; ``inner`` are the lengths of its block."""
    if array.shape == inner:
        return jnp.reshape(array, outer)
    shape, axis = [], 0
    for length in outer:
        known, real = 1, 1
        while axis < len(inner) and known < length:
            known, real, axis = known * inner[axis], real * array.shape[axis], axis + 1
        shape.append(real)
    return jnp.reshape(array, shape)


def size(layout: Layout) -> int:
    """How many numbers a leaf with this layout has."""
    return math.prod(layout.shape)
