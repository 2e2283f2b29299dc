"""Files of flax.serialization: one msgpack file with the parameters."""

import os
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from geojax._core.optional import optional
from geojax.io.formats.errors import CheckpointError, listed
from geojax.io.formats.names import flatten, mismatches, unflatten, writable_only
from geojax.io.formats.safetensors import to_device
from geojax.io.formats.whole import write_whole
from geojax.typing import Params

__all__ = ["load_flax", "save_flax"]


def load_flax(path: str | os.PathLike[str], like: Params | None = None) -> Params:
    """Reads parameters that flax.serialization wrote, as ``flax.serialization.to_bytes`` does.

    Args:
        path: The file.
        like: The tree to fill, of arrays or ``jax.ShapeDtypeStruct``: flax variables, nested dicts and lists, a train
            state, an nnx State. If None, the result is nested dicts, in which a list has its positions as keys.

    Returns:
        The parameters, as JAX arrays, placed as those of ``like``.

    Raises:
        CheckpointError: If the file is broken, or its tensors differ from those of ``like`` in names, shapes or dtypes;
            the message names all that differ.
        FileNotFoundError: If there is no such file.
        ImportError: If flax is not installed.

    Differentiation: none; a constant.
    Complexity: linear in the bytes; the whole file is read at once.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import load_flax, save_flax
        >>> path = os.path.join(tempfile.mkdtemp(), "model.msgpack")
        >>> save_flax(path, {"w": [jnp.ones(3)]})
        >>> load_flax(path)["w"]["0"].tolist()
        [1.0, 1.0, 1.0]

    References: none; a format of files.
    """
    serialization = optional("flax.serialization", "load_flax", "io")
    file = os.fspath(path)
    data = Path(file).read_bytes()
    try:
        state = serialization.msgpack_restore(data)
        tensors = flatten(state)
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
    problems = mismatches(tensors, flatten(wanted))
    if problems:
        raise CheckpointError(
            file, f"its tensors do not fit like:{listed(problems)}\nPass parameters of the same model."
        )
    filled = serialization.from_state_dict(tree, unflatten(tensors, wanted))
    if not nnx:
        return filled
    variables = jax.tree.map(lambda leaf: leaf, like)
    nnx.replace_by_pure_dict(variables, filled)
    return variables


def save_flax(path: str | os.PathLike[str], params: Params) -> None:
    """Writes parameters as flax.serialization does; the file appears under its name only when it is complete.

    Args:
        path: The file to write; an existing file is replaced.
        params: Flax variables, nested dicts and lists, a train state, an nnx State.

    Returns:
        None.

    Raises:
        TypeError: If a leaf holds random keys or anything else that cannot be written, with its path.
        ValueError: If two leaves have the same name.
        CheckpointError: If path is a folder or the disk is full.
        ImportError: If flax is not installed.

    Differentiation: none; it writes.
    Complexity: linear in the bytes; all of them are in memory at once.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import save_flax
        >>> path = os.path.join(tempfile.mkdtemp(), "model.msgpack")
        >>> save_flax(path, {"w": jnp.ones(3)})
        >>> os.path.exists(path)
        True

    References: none; a format of files.
    """
    serialization = optional("flax.serialization", "save_flax", "io")
    flatten(params)
    writable_only("save_flax", params)
    nnx = _nnx_of(params)
    state = serialization.to_state_dict(nnx.to_pure_dict(params) if nnx else params)
    try:
        data = serialization.msgpack_serialize(jax.device_get(state))
    except TypeError as error:
        raise TypeError(
            f"save_flax: params has a leaf that flax.serialization does not know ({error}). Name the arrays with "
            "geojax.io.flatten, and use save_safetensors."
        ) from error
    write_whole(path, data)


def _nnx_of(params: Params) -> Any:
    """The module flax.nnx if params is a state of it. If the module was never loaded, params cannot be one."""
    nnx = sys.modules.get("flax.nnx")
    return nnx if nnx is not None and isinstance(params, nnx.State) else None
