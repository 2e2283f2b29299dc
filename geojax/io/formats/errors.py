"""The error of every file that is not what it claims to be, or that cannot be written."""

import functools
import os
from typing import Any

__all__ = ["CheckpointError"]


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, merged or written, and why.

    Attributes:
        path: The file.
        reason: What is wrong, without the place.
        tensor: Name of the tensor in question; None where it is the file as a whole.
        extent: The bytes [start, stop) of the file in question; None where it is none in particular.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        reason: str,
        *,
        tensor: str | None = None,
        extent: tuple[int, int] | None = None,
    ):
        self.path = os.fspath(path)
        self.reason = reason
        self.tensor = tensor
        self.extent = extent
        where = "" if tensor is None else f", tensor {shown(tensor)}"
        where += "" if extent is None else f", bytes {extent[0]} to {extent[1]}"
        super().__init__(f"{self.path}{where}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        # From its parts, so that it can come from another process.
        return functools.partial(
            type(self), self.path, self.reason, tensor=self.tensor, extent=self.extent
        ), ()


def shown(name: str) -> str:
    """A name as it may stand in a message: quoted, and no longer than a line."""
    return repr(name if len(name) <= 120 else name[:117] + "...")


def listed(items: list[str], most: int = 8) -> str:
    """Lines of a message, with a count of those that would be too many."""
    more = [f"... and {len(items) - most} more"] if len(items) > most else []
    return "".join(f"\n  {item}" for item in items[:most] + more)
