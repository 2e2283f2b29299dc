"""User code named as module:function: importing it, and reporting its errors in one line."""

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geojax.cli.screen.errors import InputError


def find_named(text: str, what: str) -> Any:
    """The object that module:function names; adds the current folder to the import path.

    Raises:
        InputError: If there is no such module or name.
    """
    module, colon, function = text.partition(":")
    if not (colon and module and function):
        raise InputError(f"{text}: {what} has the form module:function.")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    with users_code(text):
        try:
            value = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module + ".").startswith(error.name + "."):
                raise
            raise InputError(
                f"{text}: no module named {error.name!r} in {here} or among the installed ones."
            ) from error
    for name in function.split("."):
        if not hasattr(value, name):
            public = ", ".join(sorted(key for key in vars(value) if not key.startswith("_"))[:8])
            raise InputError(f"{text}: {module} has no {function!r}; it has {public or 'no names'}.")
        value = getattr(value, name)
    return value


@contextmanager
def users_code(where: str) -> Iterator[None]:
    """Turns an exception in user code into one line, with the place in that code."""
    try:
        yield
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:
        frames = reversed(traceback.extract_tb(error.__traceback__))
        place = next((frame for frame in frames if _is_users(frame.filename)), None)
        at = f" ({place.filename}, line {place.lineno})" if place else ""
        said = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise InputError(
            f"{where}: {type(error).__name__}: {said}{at}. Run with --debug for the traceback."
        ) from error


def _is_users(file: str) -> bool:
    """Whether a source file exists, and is neither installed nor part of geojax."""
    ours = str(Path(__file__).parents[2])
    return os.path.isfile(file) and not file.startswith((ours, sys.prefix, sys.base_prefix))
