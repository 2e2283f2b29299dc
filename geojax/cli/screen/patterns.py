"""Patterns for names of tensors that differ only in the numbers of their layers."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"(?:(?<=[./])|^)\d+(?=[./:\[]|$)|(?<=_)\d+(?=[./:\[]|$)")


def pattern(name: str) -> str:
    """The name with a star for each number of a layer: ``layers.3.weight`` becomes ``layers.*.weight``.

    A number is replaced if it is a whole component, or the end of one after an underscore (``Dense_0``).
    """
    return _NUMBER.sub("*", name)


def title(names: Iterable[str]) -> str:
    """The pattern that the names share; a single name itself."""
    distinct = list(dict.fromkeys(names))
    return distinct[0] if len(distinct) == 1 else pattern(distinct[0])


def collapse(names: Iterable[str]) -> list[str]:
    """The names, with one entry for all names that share a pattern."""
    together: dict[str, list[str]] = {}
    for name in names:
        together.setdefault(pattern(name), []).append(name)
    return [title(alike) for alike in together.values()]


def shared_stem(names: Iterable[str]) -> str:
    """The longest beginning that all names share, cut after a dot or a slash; may be empty."""
    listed = list(names)
    if len(listed) < 2:
        return ""
    low, high = min(listed), max(listed)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[: 1 + max(low[:length].rfind("."), low[:length].rfind("/"))]
