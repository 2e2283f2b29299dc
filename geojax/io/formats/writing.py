"""Writing safetensors files, tensor by tensor; a file appears only when it is complete."""

import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from geojax._core.tree import is_array, is_key
from geojax.io.formats.errors import CheckpointError, listed, shown
from geojax.io.formats.header import format_header
from geojax.io.formats.whole import WholeFile

__all__ = ["SafetensorsWriter", "save_safetensors"]


class SafetensorsWriter:
    """Writes a file tensor by tensor, or piece by piece, in any order.

    The bytes go to a hidden file in the same folder. It takes the name of the target when all bytes are on disk, so the
    target is always either the old file or the complete new one. If the with statement ends with an exception, the
    hidden file is removed. If the process is killed it stays, and the next writer of the same target overwrites it.

    Example:
        >>> import jax, os, tempfile, numpy as np
        >>> from geojax.io import SafetensorsWriter
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> shapes = {"w": jax.ShapeDtypeStruct((4,), np.float32)}
        >>> with SafetensorsWriter(path, shapes) as writer:
        ...     writer.write("w", np.zeros(3, np.float32))
        ...     writer.write("w", np.ones(1, np.float32))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shapes: Mapping[str, Any],
        *,
        metadata: Mapping[str, str] | None = None,
        inputs: Iterable[str | os.PathLike[str]] = (),
    ):
        """Prepares the file; nothing is written before the with statement.

        Args:
            path: The file to write. Links are followed.
            shapes: {name: array, or anything else with a shape and a dtype}.
            metadata: Texts about the file.
            inputs: Files that are read while this one is written; path must not be one of them.

        Raises:
            CheckpointError: If path is an input or a folder, the format does not allow a dtype, or the disk has not
                enough space.
        """
        self.path = os.path.realpath(path)
        self._head, self._extents = format_header(self.path, shapes, metadata or {})
        self._left = {name: extent.stop - extent.start for name, extent in self._extents.items()}
        self.size = max((extent.stop for extent in self._extents.values()), default=len(self._head))
        self._file = WholeFile(self.path, self.size, inputs)

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors in the order of their bytes; writing is fastest in this order."""
        return tuple(self._extents)

    def __enter__(self) -> "SafetensorsWriter":
        self._file.__enter__()
        try:
            self._file.write(self._head, 0)
        except BaseException as error:
            self._file.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def write(self, name: str, array: Any) -> None:
        """Writes a tensor, or the next piece of it.

        Args:
            name: The tensor.
            array: The whole tensor in its shape, or its next entries as an array with one axis. The dtype is the one in
                ``shapes``.

        Raises:
            CheckpointError: If the array does not fit ``shapes``, or the disk is full.
        """
        if name not in self._extents:
            raise CheckpointError(self.path, "this tensor was not announced", tensor=name)
        extent, left = self._extents[name], self._left[name]
        piece = np.asarray(array)
        whole = piece.shape == extent.shape and piece.nbytes == left
        if piece.dtype != extent.dtype or not (whole or (piece.ndim == 1 and piece.nbytes <= left)):
            raise CheckpointError(
                self.path,
                f"got {piece.dtype}{list(piece.shape)}; announced was {extent.dtype}{list(extent.shape)}, of which "
                f"{left} bytes are left to write",
                tensor=name,
            )
        if piece.nbytes:
            self._file.write(np.ascontiguousarray(piece).reshape(-1).view(np.uint8), extent.stop - left, name)
        self._left[name] -= piece.nbytes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lacking = [f"{shown(name)}: {count} bytes" for name, count in self._left.items() if count]
        if kind is None and lacking:
            reason = f"not all that was announced was written; lacking are{listed(lacking)}"
            error = CheckpointError(self.path, reason)
            self._file.__exit__(CheckpointError, error, None)
            raise error
        self._file.__exit__(kind, error, trace)


def save_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes tensors to a safetensors file; the file appears under its name only when it is complete.

    Args:
        path: The file to write; an existing file is replaced.
        tensors: {name: array}, of numpy or JAX, such as `flatten` makes from a tree. Arrays are brought to the host one
            at a time. This may be a `Checkpoint`.
        metadata: Texts about the file, {str: str}. Programs for torch expect {"format": "pt"}.

    Returns:
        None.

    Raises:
        CheckpointError: If the format does not allow a name or a dtype, path is the file that `tensors` is a view of,
            or the disk is full.
        TypeError: If a value is not an array, or holds random keys.

    Differentiation: none; it writes.
    Complexity: linear in the bytes.

    Example:
        >>> import os, tempfile, numpy as np
        >>> from geojax.io import load_safetensors, save_safetensors
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> save_safetensors(path, {"w": np.ones((2, 3), np.float32)}, metadata={"format": "pt"})
        >>> sorted(load_safetensors(path))
        ['w']

    References: none; the format has a specification, not a paper.
    """
    shapes = getattr(tensors, "shapes", tensors)
    for name, like in shapes.items():
        if not is_array(like):
            raise TypeError(
                f"save_safetensors: {shown(str(name))} is a {type(like).__name__}; expected an array. "
                "Use geojax.io.flatten to name the arrays of a tree."
            )
        if is_key(like):
            raise TypeError(
                f"save_safetensors: {shown(str(name))} holds {like.dtype}; expected numbers. "
                "Turn keys into numbers with jax.random.key_data."
            )
    inputs = getattr(tensors, "files", ())
    with SafetensorsWriter(path, shapes, metadata=metadata, inputs=inputs) as writer:
        for name in writer.names:
            writer.write(name, tensors[name])
