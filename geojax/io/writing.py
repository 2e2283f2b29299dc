"""Writing safetensors files: a tensor at a time, and whole or not at all."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import jax
import numpy as np

from geojax.io.errors import CheckpointError, listed, shown
from geojax.io.header import format_header

__all__ = ["SafetensorsWriter", "save_safetensors"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        self.size = max((extent.stop for extent in self._extents.values()), default=len(self._head))
        self._left = {name: extent.stop - extent.start for name, extent in self._extents.items()}
        folder, name = os.path.split(self.path)
        self._partial = os.path.join(folder, f".{name}.partial")
        self._descriptor = -1
        if os.path.isdir(self.path):
            raise CheckpointError(self.path, "the target is a folder; expected the name of a file to write")
        for file in inputs:
            if os.path.exists(self.path) and os.path.samefile(file, self.path):
                raise CheckpointError(self.path, "the target is one of the inputs. Write to another file.")
        free = shutil.disk_usage(folder).free
        if free < self.size:
            reason = f"the file would take {self.size} bytes, and {folder} has room for {free}"
            raise CheckpointError(self.path, reason)

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors in the order of their bytes, in which writing is fastest."""
        return tuple(self._extents)

    def __enter__(self) -> "SafetensorsWriter":
        self._descriptor = _claim(self.path, self._partial)
        try:
            self._write(self._head, 0)
        except BaseException:
            self._discard()
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
            self._write(np.ascontiguousarray(found).reshape(-1).view(np.uint8), extent.stop - left, name)
        self._left[name] -= found.nbytes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def _write(self, data: Any, place: int, name: str | None = None) -> None:
        left = memoryview(data)
        try:
            while left:
                count = os.pwrite(self._descriptor, left, place)
                left, place = left[count:], place + count
        except OSError as error:
            if error.errno not in FULL:
                raise
            reason = f"the disk is full ({error.strerror}); the file would take {self.size} bytes"
            raise CheckpointError(self.path, reason, tensor=name) from error

    def _finish(self) -> None:
        lacking = [f"{shown(name)}: {count} bytes" for name, count in self._left.items() if count]
        if lacking:
            raise CheckpointError(
                self.path, f"not all that was announced was written; lacking are{listed(lacking)}"
            )
        os.fsync(self._descriptor)
        os.replace(self._partial, self.path)
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        os.close(self._descriptor)
        self._descriptor = -1

    def _discard(self) -> None:
        if self._descriptor < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._partial)
        os.close(self._descriptor)
        self._descriptor = -1


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


def _claim(path: str, partial: str) -> int:
    """An empty file under the hidden name, locked so that no other process writes to it."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two calls another writer may have renamed the file to its target: then begin again.
            if os.path.exists(partial) and os.path.samestat(os.stat(partial), os.fstat(descriptor)):
                os.ftruncate(descriptor, 0)
                return descriptor
            os.close(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise CheckpointError(path, "another process is writing this file. Wait for it.") from error
