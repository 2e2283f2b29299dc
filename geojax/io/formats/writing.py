"""Writing safetensors files: a tensor at a time, and whole or not at all."""

import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import jax
import numpy as np

from geojax.io.formats.errors import CheckpointError, listed, shown
from geojax.io.formats.header import format_header
from geojax.io.formats.whole import WholeFile

__all__ = ["SafetensorsWriter", "save_safetensors"]


class SafetensorsWriter:
    """Writes a file tensor by tensor, or piece by piece, in any order.

    The bytes go to a hidden file beside the target, which takes the target's name when all of them are there and on the
    disk: who opens the target finds the old file or the new one, whole. If the with statement ends by an exception the
    hidden file is removed; if the process is killed it stays, and the next writer of the same target begins it anew.

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
            path: The target. A link is followed.
            shapes: {name: what has a shape and a dtype}.
            metadata: Words about the file.
            inputs: Files that are read meanwhile; the target must not be one of them.

        Raises:
            CheckpointError: If the target is an input or no file, a dtype has no name in the format, or there is not
                room enough on the disk.
        """
        self.path = os.path.realpath(path)
        self._head, self._extents = format_header(self.path, shapes, metadata or {})
        self._left = {name: extent.stop - extent.start for name, extent in self._extents.items()}
        self.size = max((extent.stop for extent in self._extents.values()), default=len(self._head))
        self._file = WholeFile(self.path, self.size, inputs)

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors in the order of their bytes, in which writing is fastest."""
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
        """Writes a tensor, or the numbers of it that follow those written so far, counted as if it had one axis.

        Args:
            name: The tensor.
            array: All its numbers, in its shape; or a piece with one axis. Of the dtype that was announced.

        Raises:
            CheckpointError: If the array is not what was announced, or the disk is full.
        """
        if name not in self._extents:
            raise CheckpointError(self.path, "this tensor was not announced", tensor=name)
        extent, left = self._extents[name], self._left[name]
        found = np.asarray(array)
        whole = found.shape == extent.shape and found.nbytes == left
        if found.dtype != extent.dtype or not (whole or (found.ndim == 1 and found.nbytes <= left)):
            raise CheckpointError(
                self.path,
                f"got {found.dtype}{list(found.shape)}; announced was {extent.dtype}{list(extent.shape)}, of which "
                f"{left} bytes are left to write",
                tensor=name,
            )
        if found.nbytes:
            self._file.write(np.ascontiguousarray(found).reshape(-1).view(np.uint8), extent.stop - left, name)
        self._left[name] -= found.nbytes

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
    """Writes tensors to a safetensors file, which appears under its name once it is whole.

    Args:
        path: The target; a file that is there is replaced.
        tensors: {name: array}, of numpy or JAX; `flatten` makes it from a tree. One array at a time is brought to the
            host. A `Checkpoint` will do.
        metadata: Words about the file, {str: str}. Programs for torch expect {"format": "pt"}.

    Returns:
        None.

    Raises:
        CheckpointError: If a name or dtype has no place in the format, the target is the file that tensors is a
            view of, or the disk is full.
        TypeError: If a value is no array.

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
        if not hasattr(like, "shape") or not hasattr(like, "dtype"):
            raise TypeError(
                f"save_safetensors: {shown(str(name))} is a {type(like).__name__}; expected an array. "
                "Use geojax.io.flatten to name the arrays of a tree."
            )
        if jax.dtypes.issubdtype(like.dtype, jax.dtypes.extended):
            raise TypeError(
                f"save_safetensors: {shown(str(name))} holds {like.dtype}; expected numbers. "
                "Turn keys into numbers with jax.random.key_data."
            )
    inputs = getattr(tensors, "files", ())
    with SafetensorsWriter(path, shapes, metadata=metadata, inputs=inputs) as writer:
        for name in writer.names:
            writer.write(name, tensors[name])
