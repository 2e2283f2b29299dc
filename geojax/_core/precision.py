"""Half precision: computed in float32, and rounded once."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax.typing import PyTree

P = ParamSpec("P")
R = TypeVar("R")


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is an array of real floating numbers."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def is_half(leaf: Any) -> bool:
    """Whether a leaf is an array of a floating dtype below float32."""
    return is_floating(leaf) and jnp.finfo(leaf.dtype).bits < 32


def wide(dtype: Any) -> Any:
    """The dtype in which numbers of a floating dtype are computed: float32 for half precision, otherwise itself."""
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    return jnp.promote_types(dtype, jnp.float32) if jnp.issubdtype(dtype, jnp.floating) else dtype


def widened(tree: PyTree) -> PyTree:
    """The tree with its leaves of half precision in float32."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32) if is_half(leaf) else leaf, tree)


def rounded_once(function: Callable[P, R]) -> Callable[P, R]:
    """The function, computed in float32 if its arguments have half precision, with results in theirs.

    If a number of float32 or float64 is among its arguments, its results have that precision.
    """
    compute: Callable[..., R] = function

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        floating = [leaf for leaf in jax.tree.leaves((args, kwargs)) if is_floating(leaf)]
        if not any(map(is_half, floating)):
            return function(*args, **kwargs)
        dtype = jnp.result_type(*(leaf.dtype for leaf in floating))
        wide_args, wide_kwargs = widened((args, kwargs))
        return jax.tree.map(lambda leaf: _as(dtype, leaf), compute(*wide_args, **wide_kwargs))

    return run


def _as(dtype: Any, leaf: Array) -> Array:
    return leaf.astype(dtype) if is_floating(leaf) else leaf
