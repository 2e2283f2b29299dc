"""Files that appear under their name only when they are complete."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from geojax.io.formats.errors import CheckpointError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class WholeFile:
    """A file of a known size that appears under its name when the with statement ends without an exception.

    Until then its bytes are in a hidden file in the same folder, which is removed after an exception. If the process is
    killed, the hidden file stays, and the next writer of the same target overwrites it.

    Attributes:
        path: The target, with links resolved.
        size: Size of the complete file in bytes.
    """

    def __init__(
        self, path: str | os.PathLike[str], size: int, inputs: Iterable[str | os.PathLike[str]] = ()
    ):
        """Checks that the file can be written and is not one of the inputs; raises CheckpointError otherwise."""
        self.path = os.path.realpath(path)
        self.size = size
        folder, name = os.path.split(self.path)
        self._partial = os.path.join(folder, f".{name}.partial")
        self._descriptor = -1
        if os.path.isdir(self.path):
            raise CheckpointError(self.path, "the target is a folder; expected the name of a file to write")
        for file in inputs:
            if os.path.exists(self.path) and os.path.samefile(file, self.path):
                raise CheckpointError(self.path, "the target is one of the inputs. Write to another file.")
        free = shutil.disk_usage(folder).free
        if free < size:
            raise CheckpointError(
                self.path, f"the file would take {size} bytes, and {folder} has room for {free}"
            )

    def __enter__(self) -> "WholeFile":
        self._descriptor = _claim(self.path, self._partial)
        return self

    def write(self, data: Any, place: int, tensor: str | None = None) -> None:
        """Writes bytes at ``place``; an error names the tensor."""
        left = memoryview(data)
        try:
            while left:
                count = os.pwrite(self._descriptor, left, place)
                left, place = left[count:], place + count
        except OSError as error:
            if error.errno not in FULL:
                raise
            reason = f"the disk is full ({error.strerror}); the file would take {self.size} bytes"
            raise CheckpointError(self.path, reason, tensor=tensor) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                os.fsync(self._descriptor)
                os.replace(self._partial, self.path)
                _sync_folder(os.path.dirname(self.path))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._partial)
            os.close(self._descriptor)
            self._descriptor = -1


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file with these bytes.

    Raises:
        CheckpointError: If the target is a folder or the disk is full.
    """
    with WholeFile(path, len(data)) as file:
        file.write(data, 0)


def _claim(path: str, partial: str) -> int:
    """Make an empty file under the hidden name, locked so that no other process writes to it."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two calls another writer may have renamed the file to its target. If so, try again.
            if os.path.exists(partial) and os.path.samestat(os.stat(partial), os.fstat(descriptor)):
                os.ftruncate(descriptor, 0)
                return descriptor
            os.close(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise CheckpointError(path, "another process is writing this file. Wait for it.") from error


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
