"""Output files: checked before work begins, whole or absent afterwards."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from geojax.cli.files.checkpoints import broken_files
from geojax.cli.screen.console import size_text
from geojax.cli.screen.errors import InputError

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


def write_small(path: Path, content: bytes) -> None:
    """Writes a file that is whole or absent.

    Raises:
        InputError: If the disk refuses; nothing is left behind.
    """
    from geojax.io.formats.whole import write_whole

    with broken_files(path):
        write_whole(path, content)
