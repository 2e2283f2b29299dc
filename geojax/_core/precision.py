"""Half precision: computed in float32, and rounded once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax.typing import PyTree


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is an array of real floating numbers."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def is_half(leaf: Any) -> bool:
    """Whether a leaf is an array of a floating dtype below float32."""
    return is_floating(leaf) and jnp.finfo(leaf.dtype).bits < 32


def widened(tree: PyTree) -> PyTree:
    """The tree with its leaves of half precision in float32."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32) if is_half(leaf) else leaf, tree)


def rounded_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, computed in float32 where its arguments have half precision, with results in theirs.

    What holds a number of float32 or float64 among its arguments returns that precision.
    """

    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        floating = [leaf for leaf in jax.tree.leaves(arguments) if is_floating(leaf)]
        if not any(map(is_half, floating)):
            return function(*arguments)
        dtype = jnp.result_type(*(leaf.dtype for leaf in floating))
        return jax.tree.map(lambda leaf: _as(dtype, leaf), function(*widened(arguments)))

    return run


def _as(dtype: Any, leaf: Array) -> Array:
    return leaf.astype(dtype) if is_floating(leaf) else leaf
