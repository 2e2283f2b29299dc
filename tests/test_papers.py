"""The paper index is whole and current, and its generator notices when it is not."""

import importlib.util
import re
from pathlib import Path

import pytest

from geojax._core import bib

ROOT = Path(__file__).parent.parent


@pytest.fixture
def papers(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")  # as when the program itself is run
    specification = importlib.util.spec_from_file_location("papers", ROOT / "docs" / "papers.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_page_is_current(papers):
    assert (ROOT / "docs" / "papers.md").read_text() == papers.page(), "run: make papers"


def test_a_key_without_an_entry_is_noticed(papers, monkeypatch):
    monkeypatch.setattr(papers, "citations", lambda: {"Nobody1900": ["transport.sinkhorn"]})
    with pytest.raises(
        ValueError, match=r"transport\.sinkhorn cites \[Nobody1900\], which references\.bib lacks"
    ):
        papers.page()


def test_an_entry_that_nothing_cites_is_noticed(papers, monkeypatch):
    monkeypatch.setattr(papers, "citations", dict)
    with pytest.raises(ValueError, match=r"references\.bib has Higham2008, which nothing cites and no page"):
        papers.page()


def test_a_page_implements_its_paper(papers, monkeypatch):
    rows = [line for line in papers.page().splitlines() if line.startswith("| **Wu2023**")]
    assert rows[0].endswith(
        "|  | [Wu2023.py](../examples/papers/optim/Wu2023.py) | [test_claims.py](../tests/test_claims.py) |"
    )
    monkeypatch.setattr(papers, "pages", dict)
    with pytest.raises(ValueError, match=r"references\.bib has Wu2023, which nothing cites and no page"):
        papers.page()


def test_a_page_without_an_entry_is_noticed(papers, monkeypatch):
    pages = {**papers.pages(), "Nobody1900": "examples/papers/Nobody1900.py"}
    monkeypatch.setattr(papers, "pages", lambda: pages)
    with pytest.raises(
        ValueError, match=r"Nobody1900\.py is about \[Nobody1900\], which references\.bib lacks"
    ):
        papers.page()


def test_a_function_without_a_test_is_noticed(papers, monkeypatch):
    monkeypatch.setattr(papers, "words_of_tests", lambda: {"tests/core/test_x.py": {"nothing"}})
    with pytest.raises(ValueError, match="no test reads"):
        papers.page()


def test_check_fails_on_a_stale_page(papers, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(papers, "PAGE", tmp_path / "papers.md")
    assert papers.main(["--check"]) == 1
    assert "make papers" in capsys.readouterr().err
    assert papers.main([]) == 0
    assert papers.main(["--check"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["papers.md"]


def test_bibliography_parses_and_each_entry_has_its_fields():
    for key, entry in bib.entries().items():
        assert bib.field(entry, "title"), key
        assert re.fullmatch(r"\d{4}", bib.field(entry, "year")), key
