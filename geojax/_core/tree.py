"""Pytrees of arrays: named leaves, and the vector-space operations on them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax.typing import PyTree


def path_name(path: Sequence[Any], separator: str = "/") -> str:
    """Write a key path as 'a/b/0': the dict keys, attribute names and positions joined by the separator."""
    return jax.tree_util.keystr(tuple(path), simple=True, separator=separator)


def is_array(leaf: Any) -> bool:
    """Whether a leaf has a shape and a dtype: an array of JAX or numpy, random keys, or a `jax.ShapeDtypeStruct`.

    Python numbers, strings, functions and the like are not arrays.
    """
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not isinstance(leaf, type)


def is_key(leaf: Any) -> bool:
    """Whether a leaf holds typed random keys, as `jax.random.key` makes them."""
    return is_array(leaf) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def is_numeric(leaf: Any) -> bool:
    """Whether a leaf is an array of numbers or booleans, or the shape of one. Random keys are not."""
    return is_array(leaf) and any(jax.dtypes.issubdtype(leaf.dtype, kind) for kind in (np.number, np.bool_))


def leaf_pairs(tree: PyTree, separator: str = "/") -> list[tuple[str, Any]]:
    """List (name, leaf) for every leaf, in the order of `jax.tree.leaves`; names may repeat."""
    return [
        (path_name(path, separator), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    ]


def named_leaves(tree: PyTree) -> dict[str, Any]:
    """List the leaves by name, in the order of `jax.tree.leaves`; a tree that is one leaf has the name ''."""
    pairs = leaf_pairs(tree)
    named = dict(pairs)
    if len(named) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"tree: two leaves have the name {twice[0]!r}; expected distinct names. "
            "Rename a key: a dict should not hold both 1 and '1', nor a key with a slash that spells another path."
        )
    return named


def map_named(function: Callable[..., Any], tree: PyTree, *rest: PyTree) -> PyTree:
    """Apply function(name, leaf, *other_leaves) to every leaf."""
    return jax.tree_util.tree_map_with_path(
        lambda path, *leaves: function(path_name(path), *leaves), tree, *rest
    )


def dot(x: PyTree, y: PyTree) -> Array:
    """Inner product: the sum over leaves of sum(conj(x) * y)."""
    products = jax.tree.leaves(jax.tree.map(lambda a, b: jnp.vdot(a, b), x, y))
    return sum(products, start=jnp.zeros((), jnp.result_type(*products) if products else float))


def squared_norm(x: PyTree) -> Array:
    """Squared Euclidean norm of all leaves together."""
    return jnp.real(dot(x, x))


def stack(trees: Sequence[PyTree]) -> PyTree:
    """Turn a list of trees of one structure into one tree whose leaves have a new leading axis."""
    if len(trees) == 0:
        raise ValueError(
            "stack: trees is empty; expected at least one tree, as the structure comes from the first."
        )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def unstack(tree: PyTree) -> list[PyTree]:
    """Undo `stack`: one tree for each index of the leading axis that all leaves share."""
    sizes = {name: jnp.shape(leaf)[:1] for name, leaf in named_leaves(tree).items()}
    if len(set(sizes.values())) != 1 or () in sizes.values():
        raise ValueError(
            f"unstack: leaves have leading axes {dict(sorted(sizes.items()))}; expected one leading axis of the same "
            "size in every leaf, as `stack` makes it."
        )
    (size,) = next(iter(sizes.values()))
    return [jax.tree.map(lambda leaf, index=index: leaf[index], tree) for index in range(size)]
