"""Code that the user names as module:function: found, called, and its errors told in one line."""

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
    """The object that module:function names; from here on modules in the current folder can be imported.

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
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module + ".").startswith(error.name + "."):
                raise
            raise InputError(
                f"{text}: no module named {error.name!r} in {here} or among the installed ones."
            ) from error
    for name in function.split("."):
        if not hasattr(found, name):
            public = ", ".join(sorted(key for key in vars(found) if not key.startswith("_"))[:8])
            raise InputError(f"{text}: {module} has no {function!r}; it has {public or 'no names'}.")
        found = getattr(found, name)
    return found


@contextmanager
def users_code(where: str) -> Iterator[None]:
    """Turns an exception of code that the user gave into one line, with the place in that code."""
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
    """Whether a source file is neither installed, nor of geojax, nor made up by the interpreter."""
    ours = str(Path(__file__).parents[2])
    return os.path.isfile(file) and not file.startswith((ours, sys.prefix, sys.base_prefix))
