"""Which leaves of a model are merged, how several models become one stack, and the checks that they fit together.

A leaf is merged if it is an array of real or complex numbers. Every other leaf (integers, booleans, random keys, and
whatever is not an array) is carried through from the first model, or from the base if there is one. A Python number is
a setting, as it is for symmetries: the rate of a dropout, an epsilon. Models whose real settings differ are refused.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, tree
from geojax.typing import Params


def is_merged(leaf: Any) -> bool:
    """Whether a leaf is merged: an array of real or complex numbers.

    Half of one model's step counter and half of another's mask mean nothing, so integers and booleans are not merged.
    """
    return tree.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def check_rows(where: str, name: str, basis: Params) -> None:
    """Check that each number of a basis is an array with a row for every direction."""
    for path, leaf in tree.leaf_pairs(basis):
        if is_merged(leaf) and jnp.ndim(leaf) == 0:
            raise ValueError(
                f"{where}: leaf {path!r} of {name} is {checks.described(leaf)}; expected an array whose first axis "
                "counts the directions."
            )


def merged_only(params: Params) -> Params:
    """The tree with None in place of every leaf that is not merged."""
    return jax.tree.map(lambda leaf: leaf if is_merged(leaf) else None, params)


def same_model(where: str, name: str, params: Params, expected_name: str, expected: Params) -> None:
    """Check that two trees are models of one kind: same structure, and merged leaves of the same shape and dtype.

    Python numbers that are real or complex must be equal.
    """
    checks.same_tree(where, name, merged_only(params), expected_name, merged_only(expected), dtypes=True)
    settings = {path: leaf for path, leaf in tree.leaf_pairs(expected) if _is_setting(leaf)}
    for path, leaf in tree.leaf_pairs(params):
        other = settings.get(path, leaf)
        if _is_setting(leaf) and leaf != other and not (leaf != leaf and other != other):
            raise ValueError(
                f"{where}: leaf {path!r} is the number {leaf} in {name} and {other} in {expected_name}; a Python "
                "number is a setting, in which models agree. Make it an array (jnp.asarray) if it is to be merged."
            )


def _is_setting(leaf: Any) -> bool:
    return isinstance(leaf, float | complex) and not tree.is_array(leaf)


def wide(dtype: Any) -> Any:
    """The dtype to merge leaves of ``dtype`` in: at least float32, so that half precision is rounded only once."""
    return jnp.promote_types(dtype, jnp.float32)


# Several models as one stack -----------------------------------------------------------------------------------------


def as_stack(
    where: str, models: Params, *, like: Params = None, paths: Sequence[str] | None = None
) -> Params:
    """One tree with a leading axis over the models, from such a tree or from a list or tuple of models.

    A list or tuple may also be the container of a single model, one layer for each entry. It is a list of models if its
    entries have the structure of `like` (a base model), or the leaves named in `paths` (those of a spec); without
    either, if all its entries are trees of one structure with leaves of the same shapes and dtypes.

    Raises:
        ValueError: If there is no model, the models differ, or the leaves have no common leading axis.
    """
    if type(models) in (list, tuple) and _is_list_of_models(models, like, paths):
        for number, model in enumerate(models[1:], start=1):
            same_model(where, f"model {number} of stack", model, "model 0", models[0])
        models = jax.tree.map(_stacked, *models)
    stack_size(where, models)
    return models


def stack_size(where: str, stack: Params) -> int:
    """Number of models in a stack: the length of the leading axis that all merged leaves share."""
    shapes = {name: jnp.shape(leaf) for name, leaf in tree.named_leaves(merged_only(stack)).items()}
    sizes = {shape[:1] for shape in shapes.values()}
    if len(sizes) != 1 or () in sizes or (0,) in sizes:
        shown = ", ".join(f"{name!r} {list(shape)}" for name, shape in list(shapes.items())[:3])
        raise ValueError(
            f"{where}: the leaves of stack have no common leading axis of length >= 1 ({shown or 'no numbers'}); "
            "expected several models, as a list or as one tree with a leading axis over them. "
            "Put a single model into a list."
        )
    return sizes.pop()[0]


def model_of(stack: Params, index: int = 0) -> Params:
    """One model of a stack; leaves that are not arrays belong to all models."""
    return jax.tree.map(lambda leaf: leaf[index] if tree.is_array(leaf) else leaf, stack)


def coefficients(where: str, weights: Any, count: int) -> Array:
    """The weights of the models as an array [count]; ones if they are None."""
    if weights is None:
        return jnp.ones(count)
    if isinstance(weights, list | tuple):
        weights = jnp.asarray(weights)
    (weights,) = checks.floats(where, weights=weights)
    checks.shapes(where, weights=(weights, str(count)))
    return weights


def callable_first(where: str, name: str, function: Any, others: str) -> None:
    """Check that the first argument is a function, as it is not when arguments are swapped."""
    if not callable(function):
        raise TypeError(
            f"{where}: {name} is {checks.described(function)}; expected a function of parameters. "
            f"Call {where}({name}, {others})."
        )


def scalar_loss(where: str, value: Any) -> Array:
    """Check that a loss returned a scalar."""
    if jnp.shape(value) != ():
        raise ValueError(
            f"{where}: loss(params) has shape {list(jnp.shape(value))}; expected a scalar. "
            "Take the mean over examples inside the loss."
        )
    return jnp.asarray(value)


def like_stack(stack: Params, other: Params) -> Params:
    """The merged leaves of another tree in the structure of the stack, so that `map_stack` can take both.

    The other tree is a single model, or has None in place of leaves that are not merged.
    """
    present = iter(jax.tree.leaves(merged_only(other)))
    return jax.tree.map(lambda leaf: next(present) if is_merged(leaf) else leaf, stack)


def map_stack(function: Callable[..., Array], stack: Params, *others: Params) -> Params:
    """Apply function(leaf [k, ...], *other leaves), all at least float32, to the merged leaves of a stack.

    The result is rounded to the leaf's dtype. Every leaf that is not merged is carried through from the first model.
    Trees in `others` have the structure of the stack.
    """

    def at(leaf: Any, *rest: Any) -> Any:
        if not is_merged(leaf):
            return leaf[0] if tree.is_array(leaf) else leaf
        dtype = wide(leaf.dtype)
        return function(jnp.asarray(leaf, dtype), *(jnp.asarray(x, dtype) for x in rest)).astype(leaf.dtype)

    return jax.tree.map(at, stack, *others)


def split_arrays(params: Params) -> tuple[list[Array], Callable[[list[Array]], Params]]:
    """The array leaves of a tree, and the function that puts others in their place.

    JAX's transformations take arrays only; with this the other leaves go around them.
    """
    return _split(params, tree.is_array)


def split_merged(params: Params) -> tuple[list[Array], Callable[[list[Array]], Params]]:
    """The merged leaves of a tree, and the function that puts others in their place."""
    return _split(params, is_merged)


def _split(
    params: Params, chosen: Callable[[Any], bool]
) -> tuple[list[Array], Callable[[list[Array]], Params]]:
    leaves, structure = jax.tree.flatten(params)

    def whole(others: list[Array]) -> Params:
        present = iter(others)
        return structure.unflatten([next(present) if chosen(leaf) else leaf for leaf in leaves])

    return [leaf for leaf in leaves if chosen(leaf)], whole


def _is_list_of_models(models: Sequence[Any], like: Params, paths: Sequence[str] | None) -> bool:
    if len(models) == 0:
        return False
    if like is not None:
        return jax.tree.structure(models) != jax.tree.structure(like)
    if paths is not None:
        return sorted(name for name, leaf in tree.leaf_pairs(models) if tree.is_array(leaf)) != sorted(paths)
    return all(_kinds(model) == _kinds(models[0]) for model in models)


def _kinds(model: Params) -> Any:
    """Structure, shapes and dtypes of a model, to compare."""
    leaves, structure = jax.tree.flatten(model)
    return structure, [
        (jnp.shape(leaf), jax.dtypes.result_type(leaf)) if tree.is_array(leaf) else None for leaf in leaves
    ]


def _stacked(*leaves: Any) -> Any:
    return jnp.stack(leaves) if tree.is_array(leaves[0]) else leaves[0]
