"""Writes docs/papers.md: every work in references.bib, the functions that cite it, its page, and what tests them.

    python docs/papers.py           writes the page
    python docs/papers.py --check   fails if the page on disk is not what would be written

Functions come from the docstrings of the public names, tests from the names that test modules read. A page of
examples/papers implements the paper that it is called after, and tests/test_claims.py tests it.
"""

import ast
import inspect
import sys
from pathlib import Path
from types import ModuleType

from generated import write_or_check

import geojax
from geojax._core import bib

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "papers.md"
PAGES = ROOT / "examples" / "papers"
TEST_OF_PAGES = "tests/test_claims.py"

HEAD = """# Papers

Every work that the library builds on, what implements it, and what tests that: functions of the library, and pages,
runnable files that set our number beside the paper's ([all claims](claims.md)). Written by `make papers` from the
docstrings, `references.bib`, the pages and the tests; do not edit.

| paper | functions | page | tests |
|---|---|---|---|
"""


def public_objects() -> dict[str, object]:
    """All public callables by their full name, methods of public classes included."""
    found: dict[str, object] = {}
    for hall, module in halls().items():
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.ismodule(item):
                continue
            found[f"{hall}.{name}"] = item
            if inspect.isclass(item):
                members = inspect.getmembers(item, callable)
                found |= {f"{hall}.{name}.{member}": m for member, m in members if not member.startswith("_")}
    return found


def halls() -> dict[str, ModuleType]:
    """The packages whose names are public, by their name below geojax."""
    found = {}
    pending = [(name, getattr(geojax, name)) for name in geojax.__all__]
    for name, value in pending:
        if inspect.ismodule(value):
            found[name] = value
            pending += [(f"{name}.{inner}", getattr(value, inner)) for inner in value.__all__]
    return found


def pages() -> dict[str, str]:
    """Key -> path of the page that tries the paper's claims."""
    return {
        path.stem: path.relative_to(ROOT).as_posix()
        for path in sorted(PAGES.rglob("[A-Z]*.py"), key=lambda path: path.stem)
    }


def private_modules() -> dict[str, str]:
    """The docstrings of the private core's modules, which cite what all the rest stands on."""
    paths = sorted((ROOT / "geojax" / "_core").rglob("*.py"))
    return {f"_core.{path.stem}": ast.get_docstring(ast.parse(path.read_text())) or "" for path in paths}


def citations() -> dict[str, list[str]]:
    """Key -> full names of what cites it."""
    found: dict[str, list[str]] = {}
    for name, item in public_objects().items():
        for key in bib.cited_keys(inspect.getdoc(item) or ""):
            found.setdefault(key, []).append(name)
    for name, doc in private_modules().items():
        for key in bib.keys_in(doc):
            found.setdefault(key, []).append(name)
    return found


def words_of_tests() -> dict[str, set[str]]:
    """Path of each test module -> every name and attribute that it reads."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        words = {node.id for node in nodes if isinstance(node, ast.Name)}
        words |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        found[path.relative_to(ROOT).as_posix()] = words
    return found


def tests_of(name: str, words: dict[str, set[str]]) -> list[str]:
    """The test modules of the function's own package that read its name; of any package if there are none."""
    package, *_, last = name.split(".")
    folder = "tests/core/" if package == "_core" else f"tests/{package}/"
    reading = [path for path, read in words.items() if last in read]
    return [path for path in reading if path.startswith(folder)] or reading


def faults_of(entries: dict, cited: dict, written: dict) -> list[str]:
    """Keys without an entry, and entries that nothing implements."""
    faults = [
        f"{', '.join(cited[k])} cites [{k}], which references.bib lacks" for k in cited if k not in entries
    ]
    faults += [
        f"{written[k]} is about [{k}], which references.bib lacks" for k in written if k not in entries
    ]
    idle = [key for key in entries if key not in cited and key not in written]
    return faults + [f"references.bib has {key}, which nothing cites and no page is about" for key in idle]


def page() -> str:
    """The page's text; ValueError for a key without entry, an entry without implementer, a function without test."""
    entries, cited, written, words = bib.entries(), citations(), pages(), words_of_tests()
    faults, rows = faults_of(entries, cited, written), []
    for key in sorted(set(entries) & (set(cited) | set(written))):
        names = sorted(cited.get(key, []))
        tests = {test for name in names for test in tests_of(name, words)}
        if names and not tests:
            faults.append(f"no test reads {', '.join(names)}, which cite [{key}]")
        title, year = bib.field(entries[key], "title"), bib.field(entries[key], "year")
        functions = ", ".join(f"`{name}`" for name in names)
        link = linked(written[key]) if key in written else ""
        tests |= {TEST_OF_PAGES} if key in written else set()
        links = ", ".join(linked(test) for test in sorted(tests))
        rows.append(f"| **{key}** {title} ({year}) | {functions} | {link} | {links} |\n")
    if faults:
        raise ValueError("The paper index has dangling rows:\n  " + "\n  ".join(faults))
    return HEAD + "".join(rows)


def linked(path: str) -> str:
    """A link to a file of the repository."""
    return f"[{Path(path).name}](../{path})"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with what is there."""
    return write_or_check(page, PAGE, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
