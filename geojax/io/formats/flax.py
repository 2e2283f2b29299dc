"""Flax state as flax.serialization writes it: one file in msgpack."""

import os
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geojax.io.formats.errors import CheckpointError, listed
from geojax.io.formats.names import flatten, mismatches, unflatten
from geojax.io.formats.safetensors import to_device
from geojax.io.formats.whole import write_whole
from geojax.typing import Params

__all__ = ["load_flax", "save_flax"]


def load_flax(path: str | os.PathLike[str], like: Params | None = None) -> Params:
    """Reads parameters that flax.serialization wrote, as ``flax.serialization.to_bytes`` does.

    Args:
        path: The file.
        like: The tree to fill, of arrays or ``jax.ShapeDtypeStruct``: flax variables, nested dicts and lists, a train
            state, an nnx State. If None, nested dicts, with the positions of a list as keys.

    Returns:
        The parameters; JAX arrays, where those of ``like`` are.

    Raises:
        CheckpointError: If the file is broken; and where its tensors are not those of ``like``, in names, shapes or
            dtypes, naming all that differ.
        FileNotFoundError: If there is no such file.

    Differentiation: none; a constant.
    Complexity: linear in the bytes; the file is read as a whole.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import load_flax, save_flax
        >>> path = os.path.join(tempfile.mkdtemp(), "model.msgpack")
        >>> save_flax(path, {"w": [jnp.ones(3)]})
        >>> load_flax(path)["w"]["0"].tolist()
        [1.0, 1.0, 1.0]

    References: none; a format of files.
    """
    from flax import serialization

    file = os.fspath(path)
    data = Path(file).read_bytes()
    try:
        state = serialization.msgpack_restore(data)
        found = flatten(state)
    except Exception as error:
        raise CheckpointError(file, f"it is not flax state in msgpack: {error!r:.300}") from error
    if not isinstance(state, dict):
        raise CheckpointError(file, f"it holds a {type(state).__name__}; expected a dict of parameters")
    if like is None:
        return jax.tree.map(
            lambda leaf: to_device(file, "", leaf) if isinstance(leaf, np.ndarray) else leaf, state
        )
    nnx = _nnx_of(like)
    tree = nnx.to_pure_dict(like) if nnx else like
    wanted = serialization.to_state_dict(tree)
    problems = mismatches(found, flatten(wanted))
    if problems:
        raise CheckpointError(
            file, f"its tensors do not fit like:{listed(problems)}\nPass parameters of the same model."
        )
    filled = serialization.from_state_dict(tree, unflatten(found, wanted))
    if not nnx:
        return filled
    variables = jax.tree.map(lambda leaf: leaf, like)
    nnx.replace_by_pure_dict(variables, filled)
    return variables


def save_flax(path: str | os.PathLike[str], params: Params) -> None:
    """Writes parameters as flax.serialization does, to a file that appears under its name once it is whole.

    Args:
        path: The target; a file that is there is replaced.
        params: Flax variables, nested dicts and lists, a train state, an nnx State.

    Returns:
        None.

    Raises:
        TypeError: If a leaf is of a kind that flax.serialization does not know, or holds random keys.
        ValueError: If two leaves have one name.
        CheckpointError: If the target is a folder or the disk is full.

    Differentiation: none; it writes.
    Complexity: linear in the bytes, all of which are in memory at once.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import save_flax
        >>> path = os.path.join(tempfile.mkdtemp(), "model.msgpack")
        >>> save_flax(path, {"w": jnp.ones(3)})
        >>> os.path.exists(path)
        True

    References: none; a format of files.
    """
    from flax import serialization

    flatten(params)
    nnx = _nnx_of(params)
    state = serialization.to_state_dict(nnx.to_pure_dict(params) if nnx else params)
    try:
        data = serialization.msgpack_serialize(jax.device_get(state))
    except TypeError as error:
        raise TypeError(
            f"save_flax: params has a leaf that flax.serialization does not know ({error}). Name the arrays with "
            "geojax.io.flatten and use save_safetensors."
        ) from error
    write_whole(path, data)


def _nnx_of(params: Params) -> Any:
    """The module flax.nnx if these are variables of it; they cannot be where it was never loaded."""
    nnx = sys.modules.get("flax.nnx")
    return nnx if nnx is not None and isinstance(params, nnx.State) else None
