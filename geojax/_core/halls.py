"""Halls: packages whose public names are loaded when they are first used.

A hall's `__init__.py` holds `__all__`, the table {name: module that defines it} and, for editors, the same imports
under `TYPE_CHECKING`; `tests/test_halls.py` compares the three. Importing a hall imports none of its rooms.
"""

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def hall(package: str, defined_in: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make `__getattr__` and `__dir__` of a package from its table of public names.

    Args:
        package: `__name__` of the package.
        defined_in: {public name: full name of its module}. A name that is a module of the package itself, such as a
            hall below this one, is that module.

    Returns:
        The two functions. For an unknown name `__getattr__` raises AttributeError with the nearest public name, of
        this hall or of another.
    """

    def load(name: str) -> Any:
        module = defined_in.get(name)
        if module is None:
            raise AttributeError(_unknown(package, name, defined_in))
        loaded = importlib.import_module(module)
        value = loaded if module == f"{package}.{name}" else getattr(loaded, name)
        setattr(sys.modules[package], name, value)  # the next use does not call this function
        return value

    def names() -> list[str]:
        return sorted(defined_in)

    return load, names


def _unknown(package: str, name: str, defined_in: Mapping[str, str]) -> str:
    message = f"module {package!r} has no attribute {name!r}"
    if name.startswith("_"):
        return message
    elsewhere = [other for other, table in tables().items() if name in table and other != package]
    if elsewhere:
        return f"{message}; it is {' and '.join(f'{other}.{name}' for other in elsewhere)}."
    near = difflib.get_close_matches(name, defined_in, n=1, cutoff=0.75)
    if near:
        return f"{message}; did you mean {near[0]!r}?"
    far = [
        f"{other}.{match}"
        for other, table in tables().items()
        for match in difflib.get_close_matches(name, table, n=1, cutoff=0.85)
    ]
    if far:
        return f"{message}; did you mean {far[0]}?"
    return f"{message}; `dir({package})` lists what it has."


def tables() -> dict[str, Mapping[str, str]]:
    """The tables of all halls, from the root down."""
    tables: dict[str, Mapping[str, str]] = {}
    pending = ["geojax"]
    while pending:
        package = pending.pop(0)
        table = getattr(importlib.import_module(package), "_DEFINED_IN", None)
        if table is None:
            continue
        tables[package] = table
        pending += [module for name, module in table.items() if module == f"{package}.{name}"]
    return tables
