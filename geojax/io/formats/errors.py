"""The error for a file that cannot be read, merged or written."""

import functools
import os
from typing import Any

__all__ = ["CheckpointError"]


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, merged or written, and why.

    Attributes:
        path: The file.
        reason: What is wrong, without the place.
        tensor: Name of the tensor that the error is about; None if it is about the whole file.
        extent: The bytes [start, stop) of the file that the error is about; None if there are no such bytes.
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
        # The error is rebuilt from its parts, so that it can be sent from one process to another.
        return functools.partial(
            type(self), self.path, self.reason, tensor=self.tensor, extent=self.extent
        ), ()


def shown(name: str) -> str:
    """A name for a message: quoted, and cut to a line."""
    return repr(name if len(name) <= 120 else name[:117] + "...")


def listed(items: list[str], most: int = 8) -> str:
    """The first items as lines of a message, with the number of the rest."""
    more = [f"... and {len(items) - most} more"] if len(items) > most else []
    return "".join(f"\n  {item}" for item in items[:most] + more)
