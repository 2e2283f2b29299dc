"""Orbax checkpoints: a folder with one set of parameters."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geojax._core.optional import optional
from geojax._core.tree import is_array
from geojax.io.formats.errors import CheckpointError, listed
from geojax.io.formats.names import flatten, mismatches, writable_only
from geojax.typing import Params

__all__ = ["load_orbax", "save_orbax"]


def load_orbax(path: str | os.PathLike[str], like: Params | None = None) -> Params:
    """Reads the parameters in an orbax checkpoint.

    Args:
        path: The folder that orbax wrote: that of one tree. `CheckpointManager` writes a folder for each step, with the
            tree in a folder below it; the error for such a path says which folder to give.
        like: The tree to read into, of arrays or ``jax.ShapeDtypeStruct`` with shardings: each device reads only its
            own part. If None, the result is nested dicts and lists as they were saved, on the first device.

    Returns:
        The parameters, as JAX arrays.

    Raises:
        FileNotFoundError: If there is no such folder.
        CheckpointError: If the folder holds no checkpoint or a broken one, or its tensors differ from those of ``like``
            in names, shapes or dtypes; the message names all that differ.
        ImportError: If orbax is not installed.

    Differentiation: none; a constant.
    Complexity: linear in the bytes.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import load_orbax, save_orbax
        >>> path = os.path.join(tempfile.mkdtemp(), "model")
        >>> save_orbax(path, {"w": jnp.ones(3)})
        >>> load_orbax(path)["w"].tolist()
        [1.0, 1.0, 1.0]

    References: none; a format of files.
    """
    folder = os.path.abspath(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"load_orbax: {folder} is no folder; expected one that orbax wrote.")
    with optional("orbax.checkpoint", "load_orbax", "io").StandardCheckpointer() as checkpointer:
        saved = _saved_tree(checkpointer, folder)
        wanted = saved if like is None else like
        problems = mismatches(flatten(saved), flatten(wanted))
        if problems:
            raise CheckpointError(
                folder, f"its tensors do not fit like:{listed(problems)}\nPass parameters of the same model."
            )
        try:
            return checkpointer.restore(folder, jax.tree.map(_target, wanted))
        except Exception as error:
            raise CheckpointError(folder, f"the orbax checkpoint is broken: {error!s:.300}") from error


def save_orbax(path: str | os.PathLike[str], params: Params) -> None:
    """Writes parameters to a folder as orbax does; the folder appears under its name only when it is complete.

    Args:
        path: The folder to make; it must not exist yet.
        params: Any tree of arrays; each device writes its own part of a sharded array.

    Returns:
        None, after everything has been written to disk.

    Raises:
        CheckpointError: If the path exists, or orbax cannot write to it.
        ValueError: If two leaves have the same name.
        TypeError: If a leaf holds random keys or anything else that cannot be written, with its path.
        ImportError: If orbax is not installed.

    Differentiation: none; it writes.
    Complexity: linear in the bytes.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import save_orbax
        >>> path = os.path.join(tempfile.mkdtemp(), "model")
        >>> save_orbax(path, {"w": jnp.ones(3)})
        >>> os.path.isdir(path)
        True

    References: none; a format of files.
    """
    folder = os.path.abspath(path)
    flatten(params)
    writable_only("save_orbax", params)
    if os.path.lexists(folder):
        raise CheckpointError(folder, "the path exists. Remove it, or choose another.")
    with optional("orbax.checkpoint", "save_orbax", "io").StandardCheckpointer() as checkpointer:
        try:
            checkpointer.save(folder, params)
            checkpointer.wait_until_finished()
        except Exception as error:
            raise CheckpointError(folder, f"orbax could not write it: {error!s:.300}") from error


def saved_shapes(path: str | os.PathLike[str]) -> Params:
    """Shapes and dtypes of the tree in an orbax checkpoint; its numbers are not read.

    Raises:
        CheckpointError: If the folder holds no checkpoint.
    """
    with optional("orbax.checkpoint", "saved_shapes", "io").StandardCheckpointer() as checkpointer:
        saved = _saved_tree(checkpointer, os.path.abspath(path))
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, np.dtype(leaf.dtype)), saved)


def _saved_tree(checkpointer: Any, folder: str) -> Any:
    try:
        saved = checkpointer.metadata(folder).item_metadata.tree
    except Exception as error:
        raise CheckpointError(folder, _no_checkpoint(folder)) from error
    if saved is None:
        raise CheckpointError(folder, _no_checkpoint(folder))
    return saved


def _no_checkpoint(folder: str) -> str:
    """What to give instead: `CheckpointManager` writes each tree into a folder below that of its step."""
    marks = [mark for level in ("*", "*/*") for mark in Path(folder).glob(f"{level}/_METADATA")]
    newest = max(marks, key=lambda mark: mark.stat().st_mtime, default=None)
    hint = "the one that orbax wrote" if newest is None else str(newest.parent)
    return f"the folder holds no orbax checkpoint of one tree. Give {hint}."


def _target(leaf: Any) -> Any:
    """The array that orbax shall make: placed as the leaf of ``like``, or else on the first device."""
    if not is_array(leaf):
        return leaf
    sharding = getattr(leaf, "sharding", None)
    if not isinstance(sharding, jax.sharding.Sharding):
        sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(tuple(leaf.shape), np.dtype(leaf.dtype), sharding=sharding)
