"""The arguments of a program: which leaves of a tree are arrays of numbers, and functions of those arrays alone."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax._core.tree import is_key, is_numeric, leaf_pairs

Program = Callable[[list[Any], list[Any]], list[Any]]
"""A function of (parameter arrays, input arrays) that returns a list of arrays."""


def array_leaves(params: Any) -> list[tuple[str, Any]]:
    """Paths and values of the arrays of numbers in a tree of parameters; every other leaf is left out."""
    return [(name, leaf) for name, leaf in leaf_pairs(params) if is_numeric(leaf)]


def flatten(
    apply: Callable[..., Any], params: Any, inputs: tuple[Any, ...]
) -> tuple[Program, list[Any], list[Any]]:
    """``apply`` as a function of (parameter arrays, input arrays), with both lists.

    Random keys and Python floats among the parameters are not moved by a group, but what is found must hold for every
    value of them: they come first among the input arrays. All other leaves are settings and become part of the
    function, and so do the floats if the function needs them as Python numbers.
    """
    function, weights, arrays = _split(apply, params, inputs, _is_carried)
    if any(isinstance(leaf, float | complex) for leaf in jax.tree_util.tree_leaves(params)):
        try:
            jax.eval_shape(function, weights, arrays)
        except Exception:
            return _split(apply, params, inputs, is_key)
    return function, weights, arrays


def _split(
    apply: Callable[..., Any], params: Any, inputs: tuple[Any, ...], is_carried: Callable[[Any], bool]
) -> tuple[Program, list[Any], list[Any]]:
    p_leaves, p_tree = jax.tree_util.tree_flatten(params)
    i_leaves, i_tree = jax.tree_util.tree_flatten(inputs)
    moved = [k for k, leaf in enumerate(p_leaves) if is_numeric(leaf)]
    carried = [k for k, leaf in enumerate(p_leaves) if not is_numeric(leaf) and is_carried(leaf)]
    given = [k for k, leaf in enumerate(i_leaves) if is_numeric(leaf) or is_key(leaf)]

    def program(weights: list[Any], arrays: list[Any]) -> list[Any]:
        p_all, i_all = list(p_leaves), list(i_leaves)
        for k, value in zip([*moved, *carried], [*weights, *arrays[: len(carried)]], strict=True):
            p_all[k] = value
        for k, value in zip(given, arrays[len(carried) :], strict=True):
            i_all[k] = value
        out = apply(jax.tree_util.tree_unflatten(p_tree, p_all), *jax.tree_util.tree_unflatten(i_tree, i_all))
        return [leaf for leaf in jax.tree_util.tree_leaves(out) if is_numeric(leaf) or is_key(leaf)]

    numbers = [leaf if is_key(leaf) else jnp.asarray(leaf) for leaf in (p_leaves[k] for k in carried)]
    return program, [p_leaves[k] for k in moved], [*numbers, *(i_leaves[k] for k in given)]


def _is_carried(leaf: Any) -> bool:
    return is_key(leaf) or isinstance(leaf, float | complex)
