"""Reading safetensors files: lazily, as views of the bytes in the file."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax.io.formats.errors import CheckpointError, listed, shown
from geojax.io.formats.header import Extent
from geojax.io.formats.mapped import MappedFile

__all__ = ["Checkpoint", "load_safetensors", "open_safetensors"]

INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"


class Checkpoint(Mapping[str, np.ndarray]):
    """A mapping {name: array} of the tensors in a file or in several shards, in the order of their bytes.

    ``checkpoint[name]`` is a read-only view of the file. It takes memory only for the pages that were read, and the
    system may drop these again. Views stay valid after the checkpoint is closed. If another process truncates the file,
    reading from a view ends this process with a bus error; `read` raises an error instead.

    Attributes:
        path: The path of the file or of the index.
        metadata: The metadata of the file; for several shards, of the index.
        shapes: {name: jax.ShapeDtypeStruct} of every tensor; no tensor is read for it.
    """

    def __init__(self, path: str, shards: list[MappedFile], metadata: dict[str, str]):
        self.path = path
        self.metadata = metadata
        self._shards = shards
        self._home = {name: shard for shard in shards for name in shard.extents}
        self.shapes = {name: _like(shard.extents[name]) for name, shard in self._home.items()}

    @property
    def files(self) -> list[str]:
        """The files that hold the tensors."""
        return [shard.path for shard in self._shards]

    def __getitem__(self, name: str) -> np.ndarray:
        return self._shard(name).view(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._home)

    def __len__(self) -> int:
        return len(self._home)

    def __contains__(self, name: object) -> bool:
        return name in self._home

    def __repr__(self) -> str:
        return f"Checkpoint({self.path!r}, {len(self)} tensors)"

    def read(self, name: str, start: int = 0, out: np.ndarray | None = None) -> np.ndarray:
        """Copies entries of a tensor, which counts as flattened to one axis, into memory.

        Args:
            name: The tensor.
            start: The first entry to copy.
            out: The array to copy to: contiguous, with one axis and the tensor's dtype. As many entries are copied as
                it has. If None, a new array for all entries from ``start`` on.

        Returns:
            ``out``.

        Raises:
            CheckpointError: If the file is no longer as long as it was.
        """
        shard = self._shard(name)
        extent = shard.extents[name]
        first = extent.start + start * extent.dtype.itemsize
        if out is None:
            out = np.empty((extent.stop - first) // extent.dtype.itemsize, extent.dtype)
        shard.read_into(name, first, out)
        return out

    def release(self, name: str) -> None:
        """Allows the system to drop the pages of a tensor from memory; views stay valid."""
        self._shard(name).release(name)

    def close(self) -> None:
        """Closes the files; views stay valid."""
        for shard in self._shards:
            shard.close()

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shard(self, name: str) -> MappedFile:
        if name not in self._home:
            close = [other for other in self._home if name in other or other in name][:3]
            hint = f" Did you mean {', '.join(map(shown, close))}?" if close else ""
            raise KeyError(f"{self.path} has no tensor {shown(name)} among its {len(self)}.{hint}")
        return self._home[name]


def open_safetensors(path: str | os.PathLike[str]) -> Checkpoint:
    """Opens a checkpoint for reading, without reading any tensor.

    The whole header is checked first: lengths, names, dtypes, shapes, and that the tensors cover every byte of the file
    exactly once. Code in a file is never run.

    Args:
        path: A safetensors file; the index of several (``*.safetensors.index.json``); or a folder that holds
            ``model.safetensors.index.json``, ``model.safetensors`` or a single safetensors file.

    Returns:
        Checkpoint, a mapping {name: array}; close it, or use it in a with statement.

    Raises:
        CheckpointError: If a file is broken, lacks a tensor that the index lists, or has another format.
        FileNotFoundError: If there is no such file.

    Differentiation: none; the arrays are numpy's.
    Complexity: the size of the header.

    Example:
        >>> import os, tempfile, numpy as np
        >>> from geojax.io import open_safetensors, save_safetensors
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> save_safetensors(path, {"w": np.ones((2, 3), np.float32)})
        >>> with open_safetensors(path) as checkpoint:
        ...     print(checkpoint.shapes["w"].shape, checkpoint["w"].sum())
        (2, 3) 6.0

    References: none; the format has a specification, not a paper.
    """
    file_or_index = _locate(os.fspath(path))
    if not file_or_index.endswith(".json"):
        shard = MappedFile(file_or_index)
        return Checkpoint(file_or_index, [shard], shard.metadata)
    homes, metadata = _read_index(file_or_index)
    shards: list[MappedFile] = []
    try:
        for file in sorted(set(homes.values())):
            shards.append(MappedFile(os.path.join(os.path.dirname(file_or_index), file)))
        _check_index(file_or_index, homes, shards)
    except BaseException:
        for shard in shards:
            shard.close()
        raise
    return Checkpoint(file_or_index, shards, metadata)


def load_safetensors(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Reads all tensors of a checkpoint into JAX arrays.

    Args:
        path: As for `open_safetensors`.

    Returns:
        {name: array}, in the order of the file. If 64-bit types are disabled, 64-bit numbers become 32-bit numbers.

    Raises:
        CheckpointError: If a file is broken, or if 64-bit types are disabled and an integer does not fit into 32 bits.
        FileNotFoundError: If there is no such file.

    Differentiation: none; a constant.
    Complexity: linear in the bytes; each tensor is copied once.

    Example:
        >>> import os, tempfile, numpy as np
        >>> from geojax.io import load_safetensors, save_safetensors
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> save_safetensors(path, {"w": np.ones((2, 3), np.float32)})
        >>> load_safetensors(path)["w"].shape
        (2, 3)

    References: none; the format has a specification, not a paper.
    """
    with open_safetensors(path) as checkpoint:
        tensors = {}
        for name in checkpoint:
            tensors[name] = to_device(checkpoint.path, name, checkpoint[name])
            checkpoint.release(name)
        return tensors


def to_device(path: str, name: str, array: np.ndarray) -> Array:
    """A JAX array with a copy of the numbers, in the dtype that JAX uses for them."""
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    if dtype != array.dtype and np.issubdtype(dtype, np.integer) and array.size:
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            reason = (
                f"it holds integers that do not fit into {dtype}. Enable 64-bit types with jax.enable_x64."
            )
            raise CheckpointError(path, reason, tensor=name)
    return jnp.array(array.astype(dtype, copy=False))


def _like(extent: Extent) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(extent.shape, extent.dtype)


def _locate(path: str) -> str:
    """The file or index to open, given its path or that of its folder."""
    if os.path.isdir(path):
        for name in (INDEX, WHOLE):
            if os.path.exists(os.path.join(path, name)):
                return os.path.join(path, name)
        files = sorted(str(file) for file in Path(path).glob("*.safetensors"))
        if len(files) != 1:
            raise CheckpointError(
                path,
                f"the folder holds neither {INDEX} nor {WHOLE}, and {len(files)} other safetensors files. "
                "Name the file to open.",
            )
        return files[0]
    if path.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")):
        raise CheckpointError(
            path,
            "such a file holds a pickle, which may run any program when it is read, so it is never read here. "
            "Convert it with safetensors.torch.save_file where it was made.",
        )
    return path


def _read_index(path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Which file holds each tensor, and the metadata of the index."""
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, f"the index is not JSON: {error}") from error
    homes = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(homes, dict) or not homes:
        raise CheckpointError(path, "the index has no weight_map; expected {tensor: file}")
    for name, file in homes.items():
        if not isinstance(file, str) or os.path.basename(file) != file or file in ("", ".", ".."):
            reason = f"the index names the file {file!r:.80}; expected one in the index's own folder"
            raise CheckpointError(path, reason, tensor=name)
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return homes, {key: value for key, value in metadata.items() if isinstance(value, str)}


def _check_index(path: str, homes: dict[str, str], shards: list[MappedFile]) -> None:
    """Checks that each tensor is in the file that the index names, and in no other."""
    held = {(os.path.basename(shard.path), name) for shard in shards for name in shard.extents}
    promised = {(file, name) for name, file in homes.items()}
    lines = [f"missing: {shown(name)} in {file}" for file, name in sorted(promised - held)]
    lines += [f"not in the index: {shown(name)} in {file}" for file, name in sorted(held - promised)]
    if lines:
        raise CheckpointError(path, f"the index and the files disagree:{listed(lines)}")
