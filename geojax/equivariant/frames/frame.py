"""The value of a frame at a point: group elements, their weights, and the distance from a tie."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.struct import struct
from geojax._core.tree import is_numeric
from geojax.typing import PyTree


@struct
class Frame:
    """Group elements that a point picks, with weights; it unpacks as `elements, weights`.

    Attributes:
        elements: The elements, a tree whose leaves share a first axis.
        weights: Their weights, which add up to 1.
        gap: How far the point is from those at which the frame jumps, without units; 0 at such a point, and infinite
            if there are none.
    """

    elements: PyTree
    weights: Float[Array, " k"]
    gap: Float[Array, ""]

    def __iter__(self) -> Iterator[Any]:
        """The elements and the weights."""
        return iter((self.elements, self.weights))


def uniform(size: int, dtype: Any) -> Float[Array, " k"]:
    """Equal weights that add up to 1."""
    return jnp.full(size, 1 / size, dtype)


def float_type(*trees: PyTree) -> Any:
    """The widest floating type among the leaves, or the default one."""
    kinds = [jnp.result_type(leaf) for leaf in jax.tree.leaves(trees) if is_numeric(leaf)]
    reals = [jnp.finfo(kind).dtype for kind in kinds if jnp.issubdtype(kind, jnp.inexact)]
    return jnp.result_type(*reals) if reals else jnp.result_type(float)
