"""Reading models: each tree of parameters, or stack of trees, is checked once on entry and becomes a dict of arrays.

Every message names the function, the argument, what was given, what is expected and what to write. ``call`` is the call
as it should be written, such as "teleport(spec, loss, params)".
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params

Leaves = dict[str, Array]
"""The arrays of a tree of parameters by their paths."""


def read_params(call: str, spec: SymmetrySpec, **trees: Params) -> list[Leaves]:
    """Checks that each tree fits the spec and returns its arrays by path, those that the spec describes.

    Other leaves (None, functions, strings, Python numbers, random keys) are left out.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or a tree is a function, a spec or a result.
        ValueError: If a leaf is missing, unexpected, of another shape or no array; the message names it.
    """
    check_spec(call, spec)
    checks.no_explicit_axes(call.partition("(")[0], list(trees.values()))
    return [_read(call, spec, name, params) for name, params in trees.items()]


def read_stack(call: str, spec: SymmetrySpec, models: Any) -> list[Leaves]:
    """Reads several models: a stack, which is one tree with a leading model axis on each leaf, or a list of trees.

    Returns:
        The arrays of each model by path.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, or a model is a function, a spec or a result.
        ValueError: If ``models`` is empty, is a single model, or a model does not fit the spec.
    """
    check_spec(call, spec)
    where = call.partition("(")[0]
    is_sequence = isinstance(models, list | tuple)
    if is_sequence and not models:
        raise ValueError(f"{where}: models is empty; expected at least one model. Write {call}.")
    arrays = dict(array_leaves(models))
    checks.no_explicit_axes(where, arrays)
    expected = {leaf.path: leaf.shape for leaf in spec.leaves}
    if arrays and arrays.keys() == expected.keys():
        return _unstacked(call, expected, arrays)
    if not is_sequence:
        raise ValueError(
            f"{where}: models is {checks.described(models)} with the leaves {_listed(arrays)}; expected a stack, "
            f"a tree with the leaves {_listed(expected)} and a leading model axis on each, or a list of models. "
            f"Write {call}."
        )
    return read_params(call, spec, **{f"models[{number}]": model for number, model in enumerate(models)})


def _unstacked(call: str, expected: Mapping[str, tuple[int, ...]], arrays: Leaves) -> list[Leaves]:
    """The arrays of each model of a stack."""
    where = call.partition("(")[0]
    shapes = {path: jnp.shape(array) for path, array in arrays.items()}
    if all(shapes[path] == expected[path] for path in shapes):
        raise ValueError(
            f"{where}: models is one model; expected a stack, whose leaves have a leading model axis, or a list of "
            "models. Stack models with jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *models)."
        )
    counts = {shape[:1] for shape in shapes.values()}
    for path, shape in shapes.items():
        if shape[1:] != expected[path] or len(shape) != len(expected[path]) + 1 or len(counts) > 1:
            raise ValueError(
                f"{where}: leaf {path!r} of models has shape {shape}; expected {('N', *expected[path])}, with the "
                "same number N of models in every leaf. Stack models of one architecture."
            )
    ((count,),) = counts
    if count == 0:
        raise ValueError(f"{where}: models has 0 models; expected at least one. Write {call}.")
    return [{path: jnp.asarray(array)[number] for path, array in arrays.items()} for number in range(count)]


def _read(call: str, spec: SymmetrySpec, name: str, params: Params) -> Leaves:
    where = call.partition("(")[0]
    is_leaf = jax.tree.structure(params) == jax.tree.structure(0)
    is_result = hasattr(params, "element") and hasattr(params, "status")
    if is_result or isinstance(params, SymmetrySpec) or (is_leaf and callable(params)):
        raise TypeError(
            f"{where}: {name} is {checks.described(params)}; expected a tree of parameters. Write {call}."
        )
    try:
        spec.check(params)
    except ValueError as error:
        raise ValueError(f"{where}: {name}: {error}") from error
    return dict(array_leaves(params))


def _listed(paths: Mapping[str, Any]) -> str:
    shown = ", ".join(list(paths)[:4]) or "none"
    return shown if len(paths) <= 4 else f"{shown} and {len(paths) - 4} more"
