"""What the functions of this package accept: specs, trees of parameters, elements and stacks, checked once on entry.

Each check names the function that was called, the argument, what was given, what is expected and what to write.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax.symmetry.action.elements import check_element
from geojax.symmetry.action.spec import SymmetrySpec, array_leaves
from geojax.typing import Params

Leaves = dict[str, Array]
"""The array leaves of a tree of parameters by their paths."""


def check_spec(where: str, spec: Any, *, name: str = "spec") -> None:
    """Checks that an argument is a `SymmetrySpec`."""
    if not isinstance(spec, SymmetrySpec):
        raise TypeError(
            f"{where}: {name} is a {_kind(spec)}; expected a SymmetrySpec. Read one off the function with "
            "geojax.symmetry.infer(apply, params, *inputs)."
        )


def read_params(where: str, spec: SymmetrySpec, **trees: Params) -> list[Leaves]:
    """Checks that each tree fits the spec, and returns the arrays that the spec describes, by path.

    Leaves that are no arrays (None, functions, strings) belong to no path of the spec and are left out.

    Raises:
        TypeError: If a leaf that the spec describes is no array, or a tree is a function or a result.
        ValueError: If leaves are missing, unexpected or of another shape.
    """
    return [_read(where, name, spec, params) for name, params in trees.items()]


def check_start(where: str, spec: SymmetrySpec, init: Any, *, name: str = "init") -> None:
    """Checks that a start is an element of the spec, a dict {group: array}; groups may be absent."""
    if hasattr(init, "element"):
        raise TypeError(
            f"{where}: {name} is a {_kind(init)}; expected an element, a dict {{group: array}}. "
            f"Write {name}.element."
        )
    if not isinstance(init, Mapping):
        raise TypeError(
            f"{where}: {name} is a {_kind(init)}; expected an element, a dict {{group: array}}. "
            "Make one with geojax.symmetry.identity(spec), or pass the element of a result."
        )
    for group, array in init.items():
        if not hasattr(array, "dtype"):
            raise TypeError(
                f"{where}: {name}[{group!r}] is a {_kind(array)}; expected an array. "
                "Convert it with jax.numpy.asarray."
            )
    try:
        check_element(spec, init)
    except ValueError as error:
        raise ValueError(f"{where}: {name}: {error}") from error


def read_stack(where: str, spec: SymmetrySpec, models: Any, *, name: str = "models") -> list[Leaves]:
    """Reads several models: one tree whose leaves have a leading model axis, or a list or tuple of trees.

    Returns:
        The arrays that the spec describes, by path, of each model.

    Raises:
        TypeError or ValueError: If ``models`` is neither, is empty, or a model does not fit the spec.
    """
    check_spec(where, spec)
    is_sequence = isinstance(models, list | tuple)
    if is_sequence and not models:
        raise ValueError(f"{where}: {name} is empty; expected at least one model.")
    shapes = {path: jnp.shape(leaf) for path, leaf in array_leaves(models)}
    expected = {leaf.path: leaf.shape for leaf in spec.leaves}
    if shapes and shapes.keys() == expected.keys():
        if all(shapes[path] == expected[path] for path in shapes):
            raise ValueError(
                f"{where}: {name} is one model; expected a stack, whose leaves have a leading model axis. "
                "Stack models with jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *models), or pass a list."
            )
        return _unstacked(where, name, expected, dict(array_leaves(models)))
    if not is_sequence:
        raise ValueError(
            f"{where}: {name} is a {_kind(models)} with the leaves {_listed(shapes)}; expected a stack, a tree with "
            f"the leaves {_listed(expected)} and a leading model axis on each, or a list of models."
        )
    named = {f"{name}[{number}]": model for number, model in enumerate(models)}
    return read_params(where, spec, **named)


def _unstacked(where: str, name: str, expected: dict[str, tuple[int, ...]], leaves: Leaves) -> list[Leaves]:
    """One dict of arrays for each index of the leading axis, which all leaves share."""
    counts = {jnp.shape(leaf)[:1] for leaf in leaves.values()}
    for path, leaf in leaves.items():
        shape = jnp.shape(leaf)
        if shape[1:] != expected[path] or len(shape) != len(expected[path]) + 1 or len(counts) > 1:
            raise ValueError(
                f"{where}: leaf {path!r} of {name} has shape {shape}; expected {('N', *expected[path])} with the same "
                "number N of models in every leaf. Stack models of one architecture."
            )
    ((count,),) = counts
    if count == 0:
        raise ValueError(f"{where}: {name} holds no model; expected at least one.")
    return [{path: jnp.asarray(leaf)[number] for path, leaf in leaves.items()} for number in range(count)]


def _read(where: str, name: str, spec: SymmetrySpec, params: Params) -> Leaves:
    check_spec(where, spec)
    if hasattr(params, "element") and hasattr(params, "status"):
        raise TypeError(
            f"{where}: {name} is a {_kind(params)}; expected parameters. Move them first: "
            "act(spec, result.element, params)."
        )
    if callable(params) and jax.tree.structure(params) == jax.tree.structure(0):
        raise TypeError(
            f"{where}: {name} is a function; expected parameters. Look at the order of the arguments."
        )
    described = {leaf.path: leaf.shape for leaf in spec.leaves}
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        at = jax.tree_util.keystr(path, simple=True, separator="/")
        if at in described and not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")):
            raise TypeError(
                f"{where}: leaf {at!r} of {name} is a {_kind(leaf)}; expected an array of shape {described[at]}. "
                "Convert it with jax.numpy.asarray."
            )
    try:
        spec.check(params)
    except ValueError as error:
        raise ValueError(f"{where}: {name}: {error}") from error
    return dict(array_leaves(params))


def _kind(value: Any) -> str:
    return "function" if callable(value) and not isinstance(value, type) else type(value).__name__


def _listed(paths: Mapping[str, Any]) -> str:
    shown = ", ".join(list(paths)[:4]) or "none"
    return shown if len(paths) <= 4 else f"{shown} and {len(paths) - 4} more"
