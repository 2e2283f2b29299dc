"""The comparisons with other libraries still run, and their results still make a table."""

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def run(monkeypatch):
    """A function that runs a program of the folder as `python PROGRAM ARGUMENTS` does, in this process."""
    before = set(sys.modules)

    def program(name, *arguments):
        path = BENCHMARKS / name
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        return runpy.run_path(str(path), run_name="__main__")

    yield program
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
            del sys.modules[name]


def written():
    return {path: path.stat().st_mtime_ns for path in (BENCHMARKS / "results").iterdir()}


@pytest.mark.x32
@pytest.mark.parametrize("name", ["assignment", "inference"])
def test_a_quick_comparison_runs_and_writes_nothing(run, name, capsys):
    before = written()
    run(f"bench_{name}.py", "--quick")
    assert capsys.readouterr().out
    assert written() == before


def test_every_comparison_has_rows_in_the_table(run, capsys):
    with pytest.raises(SystemExit, match="0"):
        run("table.py", "--print")
    page = capsys.readouterr().out
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and "ratio" not in line]
    assert len(rows) > 50
    assert {len(row) for row in rows} == {7}
    for row in rows:
        assert float(row[2]) > 0
    for words in (
        "entropic",
        "assignment",
        "sliced",
        "Bures",
        "Gromov",
        "spd log",
        "subspaces",
        "infer",
        "weight",
    ):
        assert any(words in row[0] for row in rows), words
