"""The code in the README and the guides runs as printed; the blocks of a page share their names.

The README and the first guide run always, the other guides in the whole run: each function has tests of its own.
"""

import inspect
import re
from pathlib import Path

import pytest

from tests.conformance.test_conformance import public_names

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = {page.name: re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL) for page in PAGES}

ALWAYS = ("README.md", "start.md")


@pytest.mark.x32
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(name, marks=() if name in ALWAYS else pytest.mark.full)
        for name, blocks in CODE.items()
        if blocks
    ],
)
def test_code_runs(page, capsys):
    names: dict = {}
    for block in CODE[page]:
        exec(compile(block, page, "exec"), names)


def test_the_readme_has_code():
    assert CODE["README.md"]


def test_a_guide_names_every_public_function():
    """A function that no guide names is one that nobody finds: name it, or delete it."""
    guides = [page for page in PAGES if page.name not in ("papers.md", "claims.md")]
    words = set(re.findall(r"\w+", "\n".join(page.read_text() for page in guides)))
    packages = ("transport", "manifolds", "symmetry", "equivariant", "metanets", "merging", "optim")
    functions = {
        name
        for package in packages
        for name, value in public_names(package).items()
        if callable(value) and not inspect.isclass(value)
    }
    assert not functions - words, f"no guide names {sorted(functions - words)}"
