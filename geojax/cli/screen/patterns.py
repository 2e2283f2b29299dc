"""Names of tensors that differ in the numbers of their layers alone, written once."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"(?:(?<=[./])|^)\d+(?=[./:\[]|$)|(?<=_)\d+(?=[./:\[]|$)")


def pattern(name: str) -> str:
    """The name with a star for each component that is a number: ``layers.3.weight`` is ``layers.*.weight``.

    A number counts if it is a whole component, or the end of one after an underscore (``Dense_0``).
    """
    return _NUMBER.sub("*", name)


def title(names: Iterable[str]) -> str:
    """The pattern that names share, or the name itself where there is but one."""
    found = list(dict.fromkeys(names))
    return found[0] if len(found) == 1 else pattern(found[0])


def collapse(names: Iterable[str]) -> list[str]:
    """The names, those with one pattern written once."""
    together: dict[str, list[str]] = {}
    for name in names:
        together.setdefault(pattern(name), []).append(name)
    return [title(alike) for alike in together.values()]


def shared_stem(names: Iterable[str]) -> str:
    """The longest beginning that all names share, cut after a dot or a slash; empty if there is none."""
    found = list(names)
    if len(found) < 2:
        return ""
    low, high = min(found), max(found)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[: 1 + max(low[:length].rfind("."), low[:length].rfind("/"))]
