"""What can go wrong that the person at the terminal can mend, and which extra brings what is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    "rich": "cli",
    "safetensors": "io",
    "orbax": "io",
    "matplotlib": "demo",
    "sklearn": "demo",
}


class InputError(Exception):
    """One line for the terminal: what is wrong, where, and how to mend it. The exit code is 2."""


class CheckError(Exception):
    """One line for the terminal: a check that was asked for has failed. The exit code is 1."""


@contextmanager
def needing(extra: str, what: str, *modules: str) -> Iterator[None]:
    """Imports inside it that fail for want of one of the modules say which extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in modules:
            raise
        raise InputError(missing_module(missing, what, extra)) from error


def missing_module(module: str, what: str, extra: str) -> str:
    """The sentence about a module that is not installed."""
    return (
        f"{what} needs {module}, which is not installed. "
        f"Install the extra: pip install 'geojax-transforms[{extra}]'."
    )
