"""Output files: checked before the work begins, and complete or absent after it."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from geojax.cli.files.checkpoints import broken_files
from geojax.cli.screen.console import size_text
from geojax.cli.screen.errors import InputError

HEADROOM = 1 << 20
"""Bytes to leave free on the disk for headers and for other programs."""


def check_output(path: Path, inputs: Sequence[Path], *, option: str = "--out") -> None:
    """Checks that a file can be written under this name, and is not an input.

    Raises:
        InputError: If it is an input or a folder, or its folder does not exist or cannot be written to.
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
    """Checks that the disk has this many free bytes.

    Raises:
        InputError: If it does not.
    """
    free = free_bytes(path)
    if num_bytes + HEADROOM > free:
        raise InputError(
            f"{option} {path}: {size_text(num_bytes)} are to be written and the disk has {size_text(free)} left. "
            "Free space, or write to another disk."
        )


def free_bytes(path: Path) -> int:
    """Free bytes on the disk that holds the folder of a file."""
    return shutil.disk_usage(path.parent).free


def write_small(path: Path, content: bytes) -> None:
    """Writes a file, which appears only when it is complete.

    Raises:
        InputError: If it cannot be written; no partial file stays.
    """
    from geojax.io.formats.whole import write_whole

    with broken_files(path):
        write_whole(path, content)
