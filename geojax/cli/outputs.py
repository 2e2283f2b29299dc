"""Output files: checked before work begins, whole or absent afterwards."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from geojax.cli.console import size_text
from geojax.cli.errors import InputError

HEADROOM = 1 << 20
"""Bytes to leave free: headers, and what others write meanwhile."""


def check_output(path: Path, inputs: Sequence[Path], *, option: str = "--out") -> None:
    """Checks that a file can be written under this name without harm to an input.

    Raises:
        InputError: If it is one of the inputs, a folder, or in a folder that is not there or not to be written to.
    """
    for source in inputs:
        files = [source, *source.iterdir()] if source.is_dir() else [source]
        if path.exists() and any(os.path.samefile(path, file) for file in files if file.exists()):
            raise InputError(f"{option} {path}: that is the input {source}. Name another file.")
    if path.is_dir():
        raise InputError(
            f"{option} {path}: that is a folder. Name a file in it, such as {path / 'model.safetensors'}."
        )
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{option} {path}: there is no folder {folder}. Make it first, or name another.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{option} {path}: the folder {folder} cannot be written to ({error.strerror or error}). Name another."
        ) from error


def check_space(path: Path, num_bytes: int, *, option: str = "--out") -> None:
    """Checks that the disk has room for so many bytes more.

    Raises:
        InputError: If it has not.
    """
    free = free_bytes(path)
    if num_bytes + HEADROOM > free:
        raise InputError(
            f"{option} {path}: {size_text(num_bytes)} are to be written and the disk has {size_text(free)} left. "
            "Free space, or write to another disk."
        )


def free_bytes(path: Path) -> int:
    """What the disk that holds a file's folder has left."""
    return shutil.disk_usage(path.parent).free


def write_whole(path: Path, content: bytes) -> None:
    """Writes a small file that is whole or absent: under a temporary name beside it, then renamed.

    Raises:
        InputError: If the disk refuses; nothing is left behind.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}). Name a file in a folder of yours."
        ) from error
