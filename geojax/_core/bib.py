"""The bibliography: reads references.bib, finds the keys that a docstring cites, prints BibTeX."""

import functools
import inspect
import re
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent.parent
# In a wheel the file is inside the package; in a checkout (and in an editable install) it is beside the package.
_PLACES = (_PACKAGE / "references.bib", _PACKAGE.parent / "references.bib")

_KEY = re.compile(r"\[([A-Z][A-Za-z]+\d{4}[a-z]?)\]")
_HEAD = re.compile(r"@(\w+)\s*\{\s*([^,\s]+)\s*,")
_REQUIRED = ("title", "author", "year")


@functools.cache
def entries() -> dict[str, str]:
    """All entries of references.bib by key, each as its BibTeX text."""
    for place in _PLACES:
        if place.is_file():
            return parse(place.read_text(encoding="utf-8"))
    raise FileNotFoundError(
        f"references.bib is missing; looked at {' and '.join(map(str, _PLACES))}. Reinstall the package."
    )


def parse(text: str) -> dict[str, str]:
    """Split BibTeX text into entries by key; raise ValueError if an entry is malformed, repeated or incomplete."""
    parsed: dict[str, str] = {}
    position = 0
    while (start := text.find("@", position)) >= 0:
        head = _HEAD.match(text, start)
        if head is None:
            raise ValueError(
                f"references.bib: {text[start : start + 40]!r} does not begin an entry '@kind{{Key,'."
            )
        key = head.group(2)
        end = _closing_brace(text, text.index("{", start), key)
        entry = text[start : end + 1]
        if key in parsed:
            raise ValueError(f"references.bib: the key {key} appears twice; remove one of the entries.")
        if _KEY.fullmatch(f"[{key}]") is None:
            raise ValueError(
                f"references.bib: the key {key} does not look like Cuturi2013 (a name, the year, "
                "and a letter where needed), so a docstring could not cite it. Rename it."
            )
        missing = [name for name in _REQUIRED if not re.search(rf"^\s*{name}\s*=", entry, re.MULTILINE)]
        if missing:
            raise ValueError(
                f"references.bib: {key} has no {', '.join(missing)}. Add each on a line of its own."
            )
        parsed[key] = entry
        position = end + 1
    return parsed


def field(entry: str, name: str) -> str:
    """One field of an entry, without braces; '' if the entry does not have it."""
    head = re.search(rf"^\s*{name}\s*=\s*", entry, re.MULTILINE)
    if head is None:
        return ""
    start = head.end()
    if entry[start] == "{":
        value = entry[start + 1 : _closing_brace(entry, start, name)]
    else:
        value = entry[start:].split("\n", 1)[0].rstrip().rstrip(",").strip('"')
    return re.sub(r"\s+", " ", value.replace("{", "").replace("}", "")).strip()


def keys_in(text: str) -> list[str]:
    """The keys that a text cites, in order and without repeats."""
    return list(dict.fromkeys(_KEY.findall(text)))


def cited_keys(doc: str) -> list[str]:
    """The keys cited in a docstring's References section."""
    return keys_in(doc.partition("References:")[2])


def cite(work: Any) -> str:
    """BibTeX entries of the papers behind a function or class, or of a key of the bibliography.

    Args:
        work: A public function, class or module whose docstring has a References section, or a key such as
            "Cuturi2013".

    Returns:
        The BibTeX entries, one after another.

    Raises:
        KeyError: The key is not in the bibliography.
        ValueError: The docstring cites nothing.

    Differentiation: none; text.

    Complexity: reads the bibliography once in a process.

    Example:
        >>> import geojax as gj
        >>> print(gj.cite("Higham2008").splitlines()[0])
        @book{Higham2008,

    References: none; it prints those of other functions.
    """
    if isinstance(work, str):
        keys, who = [work], "key"
    else:
        keys = cited_keys(inspect.getdoc(work) or "")
        who = getattr(work, "__qualname__", getattr(work, "__name__", type(work).__name__))
        if not keys:
            raise ValueError(
                f"cite: {who} cites nothing; expected an object whose docstring has a References section, "
                "or a key of the bibliography as a string."
            )
    unknown = [key for key in keys if key not in entries()]
    if unknown:
        raise KeyError(
            f"cite: {who} {unknown[0]!r} is not in references.bib; it has {', '.join(sorted(entries()))}."
        )
    return "\n\n".join(entries()[key] for key in keys)


def _closing_brace(text: str, opening: int, what: str) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise ValueError(f"references.bib: the braces of {what} do not close; add the missing '}}'.")
