"""Packages that only some functions need: imported when such a function is called, with a clear error if missing."""

import importlib
from types import ModuleType

_DISTRIBUTION = "geojax-transforms"


def optional(module: str, what: str, extra: str) -> ModuleType:
    """Import a module of an extra of this distribution.

    Args:
        module: Full name of the module.
        what: The function that needs it, for the message.
        extra: The extra that brings it, as declared in pyproject.toml.

    Returns:
        The module.

    Raises:
        ModuleNotFoundError: If the package is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise  # the package is installed, and lacks something else
        raise ModuleNotFoundError(missing_module(what, package, extra), name=error.name) from error


def missing_module(what: str, package: str, extra: str) -> str:
    """The sentence about a package that is not installed."""
    return f"{what} needs {package}, which is not installed. Run: pip install '{_DISTRIBUTION}[{extra}]'"
