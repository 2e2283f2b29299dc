"""What the harness asks of leaves: numbers, floating or not, or keys; and how trees of them are stacked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def is_key(leaf: Any) -> bool:
    """Whether a leaf is a typed key."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def is_floating(leaf: Any) -> bool:
    """Whether a leaf holds floating numbers."""
    return jnp.issubdtype(jax.dtypes.result_type(leaf), jnp.floating)


def plain(leaf: Any) -> np.ndarray:
    """A leaf as numbers: typed keys become their data."""
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)


def stacked(trees: list[Any]) -> Any:
    """Trees one by one, as `vmap` would take or return them; on the host, where it compiles nothing."""

    def stack(*leaves: Any) -> Any:
        return jnp.stack(leaves) if is_key(leaves[0]) else np.stack([np.asarray(leaf) for leaf in leaves])

    return jax.tree.map(stack, *trees)


def signature(tree: Any) -> Any:
    """Structure, shapes and dtypes: what tells whether two trees can be rows of one batch."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((jnp.shape(leaf), jax.dtypes.result_type(leaf)) for leaf in leaves)


def dot(x: Any, y: Any) -> Any:
    """Sum of the products of all entries of two trees; on the host where both are there."""
    pairs = list(zip(jax.tree.leaves(x), jax.tree.leaves(y)))
    traced = any(isinstance(leaf, jax.core.Tracer) for pair in pairs for leaf in pair)
    return sum((jnp if traced else np).vdot(a, b) for a, b in pairs)
