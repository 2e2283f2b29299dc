"""MkDocs hook and griffe extension: the reference pages, one entry for each public name, from the docstrings."""

import importlib
import re
from typing import Any

import griffe

PARAGRAPHS = ("Differentiation", "Complexity", "Status", "Batch", "Devices", "References")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Append an entry for every public name of the package that a page under api/ is called after.

    Links out of the folder of pages, to tests, become plain words: the site does not hold them.
    """
    if not page.file.src_uri.startswith("api/"):
        return re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"`\1`", markdown)
    module = importlib.import_module(page.title)
    entries = [entry(module, name) for name in sorted(module.__all__, key=str.lower)]
    return "\n\n".join([markdown, module.__doc__ or "", *filter(None, entries)])


def entry(module: Any, name: str) -> str:
    """Where a public name is defined, as mkdocstrings wants it; empty for modules and plain values."""
    value = getattr(module, name)
    if not hasattr(value, "__qualname__"):
        return ""
    return f"::: {value.__module__}.{value.__qualname__}\n    options:\n      heading: {name}\n"


class Sections(griffe.Extension):
    """Gives the docstrings' sections names that the parser knows, or makes them paragraphs that begin in bold."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is None:
            return
        text = re.sub(r"^(\s*)Example:", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
        for word in PARAGRAPHS:
            text = re.sub(rf"^(\s*){word}: +", rf"\n\1**{word}**: ", text, flags=re.MULTILINE)
        obj.docstring.value = text
