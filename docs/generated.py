"""Pages that a program writes: written whole, or compared with what is on disk."""

import os
import sys
from collections.abc import Callable
from pathlib import Path


def write_or_check(text_of: Callable[[], str], target: Path, arguments: list[str]) -> int:
    """Write the page, or with --check compare it with what is there; the exit status of the program.

    `text_of` raises ValueError if the page cannot be written, and the message says why.
    """
    try:
        text = text_of()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        if not target.exists() or target.read_text() != text:
            print(f"docs/{target.name} is out of date; run: make papers", file=sys.stderr)
            return 1
        return 0
    part = target.with_suffix(".part")
    part.write_text(text)
    os.replace(part, target)
    return 0
