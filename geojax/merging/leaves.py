"""Which leaves of a model take part in merging, and the checks that models have the same ones."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, tree
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


def stack_size(where: str, stack: Params) -> int:
    """Number of models in a stack: the length of the leading axis that all mixed leaves share."""
    shapes = {name: jnp.shape(leaf) for name, leaf in tree.named_leaves(merged_only(stack)).items()}
    sizes = {shape[:1] for shape in shapes.values()}
    if len(sizes) != 1 or () in sizes or (0,) in sizes:
        found = ", ".join(f"{name} {list(shape)}" for name, shape in list(shapes.items())[:3])
        raise ValueError(
            f"{where}: the leaves of stack have no common leading axis of length >= 1 ({found or 'no numbers'}); "
            "expected one entry a model. Stack the models with jax.tree.map and jnp.stack."
        )
    return sizes.pop()[0]


def like_stack(stack: Params, other: Params) -> Params:
    """The other tree with the stack's leaves where nothing is mixed, so that `map_stack` can take both.

    The other is a single model, or has None where nothing is mixed.
    """
    present = iter(jax.tree.leaves(merged_only(other)))
    return jax.tree.map(lambda leaf: next(present) if is_merged(leaf) else leaf, stack)


def map_stack(function: Callable[..., Array], stack: Params, *others: Params) -> Params:
    """Apply function(leaf [k, ...], *other leaves), all at least float32, to the mixed leaves of a stack.

    The result goes back to the leaf's dtype. Other leaves are those of the first model, or as they are if no
    arrays. Trees in `others` have the structure of the stack.
    """

    def at(leaf: Any, *rest: Any) -> Any:
        if not is_merged(leaf):
            return leaf[0] if hasattr(leaf, "dtype") else leaf
        dtype = wide(leaf.dtype)
        return function(jnp.asarray(leaf, dtype), *(jnp.asarray(x, dtype) for x in rest)).astype(leaf.dtype)

    return jax.tree.map(at, stack, *others)
