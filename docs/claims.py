"""Writes docs/claims.md: of every page in examples/papers, what its paper claims, and our numbers beside the paper's.

    python docs/claims.py           writes it
    python docs/claims.py --check   fails if what is on disk is not what would be written

Words come from the pages' docstrings, numbers from benchmarks/results/papers/, which `make papers-full` writes.
"""

import ast
import json
import re
import sys
from pathlib import Path

from generated import write_or_check

from geojax._core import bib

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "examples" / "papers"
RESULTS = ROOT / "benchmarks" / "results" / "papers"
TARGET = ROOT / "docs" / "claims.md"
REQUIRED, OPTIONAL = ("Claim", "Differs"), ("Fails",)
HEAD = """# Claims

What papers claim, tried again: the paper's number, and ours as mean ± standard error over seeds, from the runnable
pages in `examples/papers`. "Asked" is what ours must be for the claim to hold; it is a sign, an order or a theorem,
since scales differ. {held} of {all} claims hold on {pages} pages; the others say why they do not. Written by
`make papers` from the pages and the results of `make papers-full`; do not edit.
`python -m examples.papers Tang2024` tries one in some seconds, `--start 100` with other seeds, `--full` at this size.
"""


def pages() -> dict[str, Path]:
    """Key -> file of every page."""
    return {path.stem: path for path in sorted(PAGES.rglob("[A-Z]*.py"), key=lambda path: path.stem)}


def sections(key: str, text: str) -> dict[str, str]:
    """The parts of a page's docstring by name, in one line each; ValueError names what is missing or wrong."""
    doc = ast.get_docstring(ast.parse(text)) or ""
    first, *blocks = (re.sub(r"\s+", " ", block).strip() for block in re.split(r"\n\s*\n", doc))
    entry = bib.entries().get(key)
    if entry is None:
        raise ValueError(f"{key}: references.bib has no such key; add the paper.")
    wanted = f"{bib.field(entry, 'title')} [{key}]."
    if first != wanted:
        raise ValueError(f"{key}: the docstring begins {first!r}; expected the paper's title, {wanted!r}.")
    found: dict[str, str] = {}
    for block in blocks:
        name, colon, words = block.partition(":")
        if not colon or name not in (*REQUIRED, *OPTIONAL) or name in found:
            raise ValueError(
                f"{key}: {block[:40]!r} is no section; expected Claim:, Differs: or Fails:, once each."
            )
        found[name] = words.strip()
    if missing := [name for name in REQUIRED if not found.get(name)]:
        raise ValueError(f"{key}: the docstring has no {missing[0]}: section; add it.")
    return found


def row(claim: dict) -> str:
    """One claim as a line of a table."""
    cells = claim["what"], claim["paper"], number(claim), claim["asked"], verdict(claim)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def number(claim: dict) -> str:
    """Mean and standard error."""
    mean = f"{claim['mean']:.3g}"
    return f"{mean} ± {claim['error']:.1g}" if claim["error"] else mean


def verdict(claim: dict) -> str:
    """In a word or three."""
    return "holds" if claim["holds"] else "does not reproduce"


def sentence(words: str) -> str:
    """With a capital letter."""
    return words[:1].upper() + words[1:]


def section(key: str, path: Path) -> tuple[str, list[dict]]:
    """The text about one page, and its claims."""
    words = sections(key, path.read_text())
    file = RESULTS / f"{key}.json"
    if not file.exists():
        raise ValueError(f"{key} has no results; run: make papers-full ARGS={key}")
    found = json.loads(file.read_text())
    for claim in found["claims"]:
        if claim["holds"] != claim["expected"]:
            raise ValueError(
                f"{key}: {claim['what']!r} came out as {verdict(claim)}, which the page does not expect."
            )
        if not claim["expected"] and "Fails" not in words:
            raise ValueError(f"{key}: {claim['what']!r} does not reproduce; say why in a Fails: section.")
    title, year = (bib.field(bib.entries()[key], name) for name in ("title", "year"))
    text = f"\n## {key}\n\n{title} ({year}). [{path.name}](../{path.relative_to(ROOT).as_posix()})\n\n"
    text += f"{sentence(words['Claim'])}\n\n| measured | paper | ours | asked | |\n|---|---|---|---|---|\n"
    text += "".join(row(claim) for claim in found["claims"])
    text += f"\n**Differs.** {sentence(words['Differs'])}\n"
    text += f"\n**Does not reproduce.** {sentence(words['Fails'])}\n" if "Fails" in words else ""
    text += f"\nSize {found['size']}, first seed {found['first seed']}, jax {found['versions']['jax']}.\n"
    return text, found["claims"]


def page() -> str:
    """The whole text; ValueError lists what is wrong with any page."""
    texts, claims, faults = [], [], []
    for key, path in pages().items():
        try:
            text, found = section(key, path)
        except ValueError as error:
            faults.append(str(error))
            continue
        texts.append(text)
        claims += found
    if faults:
        raise ValueError("The claims are not whole:\n  " + "\n  ".join(faults))
    held = sum(claim["holds"] for claim in claims)
    return HEAD.format(held=held, all=len(claims), pages=len(texts)) + "".join(texts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with what is there."""
    return write_or_check(page, TARGET, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
