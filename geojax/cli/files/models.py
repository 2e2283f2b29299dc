"""The argument MODEL of commands: the config of a known architecture, module:function, or a saved spec."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geojax.cli.files.user_code import find_named, users_code
from geojax.cli.screen.console import num_bytes
from geojax.cli.screen.errors import CheckError, InputError

if TYPE_CHECKING:
    from geojax.symmetry import SymmetrySpec

LARGE = 1 << 30
"""Largest size of the parameters in bytes for which the symmetry of a known architecture is verified by default."""

DRAWS = 32
"""Number of small batches that are joined to one batch of random inputs of a known architecture."""

HELP = """\b
MODEL is one of
  a folder or config.json of a known architecture, as Hugging Face writes it;
  module:function, called without arguments in the current folder, which
    returns (apply, params, inputs) for the function apply(params, *inputs);
  a spec saved by `geojax symmetries MODEL --save SPEC.json`."""


@dataclasses.dataclass(frozen=True)
class Model:
    """A function of parameters, or its saved symmetry.

    Attributes:
        name: Its name in tables.
        spec: The saved symmetry; None if it has to be inferred.
        apply: ``apply(params, *inputs)``; None for a saved spec.
        params: Example parameters; for a known architecture only their shapes.
        inputs: Example inputs.
        architecture: The `geojax.architectures.Architecture`; None if it is not a known one.
    """

    name: str
    spec: "SymmetrySpec | None" = None
    apply: Callable[..., Any] | None = None
    params: Any = None
    inputs: tuple[Any, ...] = ()
    architecture: Any = None


def resolve(text: str) -> Model:
    """The model that a MODEL argument names.

    Raises:
        InputError: If there is no such model, or it cannot be read.
    """
    path = Path(text)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(
                f"{text}: the folder has no config.json. Name a folder that has one, module:function, or a saved spec."
            )
        return _from_json(path / "config.json")
    if path.is_file():
        if path.suffix == ".py":
            raise InputError(
                f"{text}: name the function as well, as in {path.stem}:model, from the file's folder."
            )
        return _from_json(path)
    module, colon, function = text.partition(":")
    if colon and module and function:
        return _from_function(module, function)
    raise InputError(
        f"{text}: no such file or folder, and not of the form module:function. "
        "MODEL is a config.json or its folder, module:function, or a saved spec."
    )


def spec_of(model: Model, *, verify: bool | None = None) -> "SymmetrySpec":
    """The symmetry of a model: the saved one, or the result of `infer`.

    Args:
        model: The model.
        verify: Whether to check it numerically; if None, it is checked if the parameters take at most LARGE bytes.

    Raises:
        InputError: If the function cannot be traced.
    """
    if model.spec is not None:
        return model.spec
    import jax

    from geojax.symmetry import infer

    params = model.params
    if model.architecture is not None:
        shapes = model.architecture.shapes()
        small = num_bytes(shapes.values()) <= LARGE
        verify = small if verify is None else verify
        # From shapes alone, without numbers, `infer` does not find the rotations under rotary positions.
        params = model.architecture.init(jax.random.key(0)) if verify or small else shapes
    try:
        return infer(_function(model), params, *model.inputs, verify=verify is not False)
    except ValueError as error:
        raise InputError(f"{model.name}: {error}") from error


def checked_spec(model: Model) -> "SymmetrySpec":
    """The symmetry of a model, to act with.

    For a known architecture it is not checked again at full size; `geojax symmetries` does that.

    Raises:
        InputError: If the function cannot be traced.
        CheckError: If a group changes the outputs.
    """
    spec = spec_of(model, verify=None if model.architecture is None else False)
    if spec.verification is not None and not spec.verification.passed:
        raise CheckError(
            f"{model.name}: the symmetries did not pass the numerical check; `geojax symmetries` says more."
        )
    return spec


def inputs_of(model: Model, text: str | None, seed: int) -> tuple[Any, ...]:
    """The inputs that module:function returns; without it, random ones of a known architecture or the model's own."""
    if text is not None:
        build = find_named(text, "--inputs")
        with users_code(text):
            made = build()
        return tuple(made) if isinstance(made, tuple | list) else (made,)
    if model.architecture is None:
        return model.inputs
    import jax
    import jax.numpy as jnp

    draws = [model.architecture.inputs(key) for key in jax.random.split(jax.random.key(seed), DRAWS)]
    return tuple(jnp.concatenate(batch) for batch in zip(*draws, strict=True))


def apply_of(model: Model, what: str) -> Callable[..., Any]:
    """The model's function; a saved spec has none.

    Raises:
        InputError: If MODEL is a saved spec.
    """
    if model.apply is None:
        raise InputError(
            f"{model.name}: {what} needs the model's function, and a saved spec has none. "
            "Give a config.json or module:function as MODEL."
        )
    return _function(model)


def params_of(model: Model, tensors: Mapping[str, Any]) -> Any:
    """The parameters of the model, made of the tensors of a checkpoint in their own dtypes.

    Raises:
        ValueError: If the tensors do not belong to this model.
    """
    import jax
    import jax.numpy as jnp

    from geojax._core.tree import is_array, path_name
    from geojax.io import flatten, unflatten

    if model.architecture is not None:
        return model.architecture.select(tensors)

    def names(separator: str) -> set[str]:
        return set(flatten(model.params, separator=separator))

    separator = max("/.", key=lambda mark: len(names(mark) & set(tensors)))

    def like(path: Any, leaf: Any) -> Any:
        name = path_name(path, separator)
        if not is_array(leaf) or name not in tensors:
            return leaf
        both = all(jnp.issubdtype(value.dtype, jnp.inexact) for value in (leaf, tensors[name]))
        return jax.ShapeDtypeStruct(leaf.shape, tensors[name].dtype if both else leaf.dtype)

    return unflatten(tensors, jax.tree_util.tree_map_with_path(like, model.params), separator=separator)


def _function(model: Model) -> Callable[..., Any]:
    assert model.apply is not None
    return model.apply


def _from_json(path: Path) -> Model:
    try:
        text = path.read_text()
        value = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: not JSON ({error}). MODEL is a config.json or a spec saved with --save."
        ) from error
    if isinstance(value, dict) and value.get("type") == "SymmetrySpec":
        from geojax.symmetry import SymmetrySpec

        try:
            return Model(str(path), spec=SymmetrySpec.from_json(text))
        except ValueError as error:
            raise InputError(f"{path}: {error}. Save it again with --save.") from error
    if isinstance(value, dict) and "model_type" in value:
        return _known(path, value)
    raise InputError(
        f"{path}: neither a config (it has no model_type) nor a spec saved with --save. "
        "For a function of your own give module:function."
    )


def _known(path: Path, config: dict[str, Any]) -> Model:
    import jax

    from geojax.architectures import from_config

    try:
        architecture = from_config(config)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: {error}") from error
    return Model(
        f"{architecture.name} ({path})",
        apply=architecture.apply,
        params=architecture.shapes(),
        inputs=tuple(architecture.inputs(jax.random.key(1))),
        architecture=architecture,
    )


def _from_function(module: str, function: str) -> Model:
    text = f"{module}:{function}"
    build = find_named(text, "MODEL")
    if not callable(build):
        raise InputError(
            f"{text}: a {type(build).__name__}; expected a function that returns (apply, params, inputs)."
        )
    with users_code(text):
        made = build()
    if not isinstance(made, tuple) or len(made) != 3 or not callable(made[0]):
        raise InputError(
            f"{text}() returned a {type(made).__name__}; expected a tuple (apply, params, inputs) "
            "with a function apply(params, *inputs)."
        )
    apply, params, inputs = made
    return Model(
        text,
        apply=apply,
        params=params,
        inputs=tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,),
    )
