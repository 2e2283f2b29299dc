"""Checkpoints of any format: the format of a path, the contents, and the tensors one at a time."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geojax.cli.screen.errors import InputError

if TYPE_CHECKING:
    from geojax.io import Checkpoint

ORBAX_MARKS = ("_CHECKPOINT_METADATA", "_METADATA", "manifest.ocdbt")


@dataclasses.dataclass(frozen=True)
class Contents:
    """An open checkpoint.

    Attributes:
        format: "safetensors", "orbax" or "flax".
        shapes: {name: value with a shape and a dtype}.
        metadata: Texts in the file about itself.
        files: The files that the checkpoint consists of.
        tensors: {name: array}. Of safetensors files a tensor is read when it is used; other formats are read as a
            whole.
    """

    format: str
    shapes: Mapping[str, Any]
    metadata: Mapping[str, str]
    files: tuple[Path, ...]
    tensors: Mapping[str, Any]

    def release(self, name: str) -> None:
        """Allows the memory of a tensor to be dropped after use."""
        if hasattr(self.tensors, "release"):
            self.tensors.release(name)  # type: ignore[attr-defined]


def format_of(path: Path) -> str:
    """The format of a checkpoint, from its name and the files in its folder.

    Raises:
        InputError: If there is no such file or folder.
    """
    if path.is_dir():
        if any((path / mark).exists() for mark in ORBAX_MARKS):
            return "orbax"
        return "safetensors"
    if not path.exists():
        raise InputError(f"{path}: no such file or folder. Check the spelling.")
    if path.suffix in (".msgpack", ".flax"):
        return "flax"
    return "safetensors"


@contextmanager
def opened(path: Path, *, values: bool = True) -> Iterator[Contents]:
    """Opens a checkpoint.

    Args:
        path: A safetensors file, index or folder; an orbax folder; a flax msgpack file.
        values: Whether tensors will be read; if not, only the metadata of an orbax folder is read.

    Raises:
        InputError: If it does not exist, is broken, or has an unknown format.
    """
    form = format_of(path)
    with broken_files(path):
        if form == "safetensors":
            with open_lazily(path) as checkpoint:
                files = tuple(Path(file) for file in checkpoint.files)
                yield Contents(form, checkpoint.shapes, checkpoint.metadata, files, checkpoint)
            return
        tensors = _orbax(path, values) if form == "orbax" else _flax(path)
    files = tuple(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)
    yield Contents(form, tensors, {}, files, tensors)


@contextmanager
def open_lazily(path: Path) -> "Iterator[Checkpoint]":
    """Opens a safetensors file, index or folder; for another format the error says how to convert it.

    Raises:
        InputError: If it does not exist, is broken, or has another format.
    """
    form = format_of(path)
    if form != "safetensors":
        raise InputError(
            f"{path}: an {form} checkpoint; this command reads safetensors. Convert it in Python with "
            f"geojax.io.save_safetensors(out, geojax.io.flatten(geojax.io.load_{form}(path)))."
        )
    from geojax.io import open_safetensors

    with broken_files(path), open_safetensors(path) as checkpoint:
        yield checkpoint


@contextmanager
def broken_files(path: Path) -> Iterator[None]:
    """Turns errors of `geojax.io` into errors for the terminal."""
    from geojax.io import CheckpointError

    try:
        yield
    except CheckpointError as error:
        raise InputError(str(error)) from error
    except FileNotFoundError as error:
        raise InputError(f"{error.filename or path}: no such file. Check the spelling.") from error


def load(path: Path) -> dict[str, Any]:
    """All tensors of a checkpoint of any format as JAX arrays, by name.

    Raises:
        InputError: If it does not exist, is broken, or has an unknown format.
    """
    import jax.numpy as jnp

    with opened(path) as contents:
        loaded = {}
        for name in contents.shapes:
            loaded[name] = jnp.array(contents.tensors[name])
            contents.release(name)
        return loaded


def same_tensors(
    path_a: Path, tensors_a: Mapping[str, Any], path_b: Path, tensors_b: Mapping[str, Any], *, hint: str = ""
) -> None:
    """Checks that two checkpoints hold tensors of the same names, shapes and dtypes.

    Raises:
        InputError: If they do not; the message names the first difference, and adds the hint if only dtypes differ.
    """
    from geojax.io.formats.names import mismatches

    lines = mismatches(tensors_b, tensors_a)
    if lines:
        more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
        hint = "" if mismatches(tensors_b, tensors_a, dtypes=False) else hint
        raise InputError(f"{path_b} does not go with {path_a}: {lines[0]}{more}.{hint}")


def _flax(path: Path) -> dict[str, Any]:
    from geojax.io import flatten, load_flax

    return flatten(load_flax(path))


def _orbax(path: Path, values: bool) -> dict[str, Any]:
    from geojax.io import flatten, load_orbax
    from geojax.io.formats.orbax import saved_shapes

    return flatten(load_orbax(path) if values else saved_shapes(path))
