"""Orbax checkpoints: a folder with one set of parameters."""

import os
from typing import Any

import jax
import numpy as np

from geojax.io.formats.errors import CheckpointError, listed
from geojax.io.formats.names import flatten, mismatches
from geojax.typing import Params

__all__ = ["load_orbax", "save_orbax"]


def load_orbax(path: str | os.PathLike[str], like: Params | None = None) -> Params:
    """Reads the parameters in an orbax checkpoint.

    Args:
        path: The folder that orbax wrote: of one tree, not of a training run with its steps.
        like: The tree to read into, of arrays or ``jax.ShapeDtypeStruct``, with their shardings: each device reads what
            it is to hold. If None, nested dicts and lists as they were saved, on the first device.

    Returns:
        The parameters; JAX arrays.

    Raises:
        CheckpointError: If there is no checkpoint in the folder or it is broken; and where its tensors are not those of
            ``like``, in names, shapes or dtypes, naming all that differ.
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
    with _orbax().StandardCheckpointer() as checkpointer:
        try:
            saved = checkpointer.metadata(folder).item_metadata.tree
        except Exception as error:
            raise CheckpointError(
                folder, f"there is no orbax checkpoint in the folder: {error!s:.300}"
            ) from error
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
    """Writes parameters to a folder as orbax does, which appears under its name once it is whole.

    Args:
        path: The folder to make; it must not be there yet.
        params: Any tree of arrays; sharded ones are written by the devices that hold them.

    Returns:
        None, when everything is on the disk.

    Raises:
        CheckpointError: If the path is taken, or orbax cannot write it.
        ValueError: If two leaves have one name.
        TypeError: If a leaf holds random keys.
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
    if os.path.lexists(folder):
        raise CheckpointError(folder, "the path is taken. Remove what is there, or choose another.")
    with _orbax().StandardCheckpointer() as checkpointer:
        try:
            checkpointer.save(folder, params)
            checkpointer.wait_until_finished()
        except Exception as error:
            raise CheckpointError(folder, f"orbax could not write it: {error!s:.300}") from error


def _orbax() -> Any:
    """The library, which takes seconds to load."""
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError("orbax is not installed. Run: pip install 'geojax-transforms[io]'") from error
    return orbax.checkpoint


def _target(leaf: Any) -> Any:
    """What orbax is to make of a leaf: an array on the devices where that of ``like`` is, else on the first."""
    if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
        return leaf
    sharding = getattr(leaf, "sharding", None)
    if not isinstance(sharding, jax.sharding.Sharding):
        sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(tuple(leaf.shape), np.dtype(leaf.dtype), sharding=sharding)
