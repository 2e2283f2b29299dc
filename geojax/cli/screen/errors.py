"""Errors that the person at the terminal can mend, and which extra brings a module that is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from geojax._core.optional import missing_module

EXTRAS = {
    "flax": "io",
    "orbax": "io",
    "ott": "ott",
    "matplotlib": "plot",
    "rich": "cli",
    "sklearn": "demo",
}
"""{module: the extra that brings it}."""


class InputError(Exception):
    """One line for the terminal: what is wrong, where, and how to correct it. The exit code is 2."""


class CheckError(Exception):
    """One line for the terminal: a requested check has failed. The exit code is 1."""


@contextmanager
def needing(extra: str, what: str, *modules: str) -> Iterator[None]:
    """Turns the failing import of one of the modules into a line that says which extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in modules:
            raise
        raise InputError(missing_module(what, missing, extra)) from error
