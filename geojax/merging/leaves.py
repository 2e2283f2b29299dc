"""Which leaves of a model take part in merging, and the checks that models have the same ones."""

from typing import Any

import jax
import jax.numpy as jnp

from geojax._core import checks
from geojax.typing import Params


def is_merged(leaf: Any) -> bool:
    """Whether a leaf is mixed: arrays and numbers that are real or complex.

    Integers, booleans, random keys and what is no array at all (functions, names) are not: a counter or a mask that
    is half one model's and half the other's belongs to neither.
    """
    if hasattr(leaf, "dtype"):
        return jnp.issubdtype(leaf.dtype, jnp.inexact)
    return isinstance(leaf, float | complex)


def merged_only(params: Params) -> Params:
    """The tree with every other leaf replaced by None."""
    return jax.tree.map(lambda leaf: leaf if is_merged(leaf) else None, params)


def same_model(where: str, name: str, params: Params, expected_name: str, expected: Params) -> None:
    """Check that two trees are parameters of one model: same structure, and mixed leaves of same shape and dtype."""
    checks.same_tree(where, name, merged_only(params), expected_name, merged_only(expected), dtypes=True)


def wide(dtype: Any) -> Any:
    """The dtype in which leaves of ``dtype`` are mixed: at least float32, so that half precision rounds once."""
    return jnp.promote_types(dtype, jnp.float32)
