"""The comparisons with other libraries still run, and their results still make a table."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def run(program, *arguments):
    """What the program prints; a process of its own, as some clear JAX's caches."""
    command = [sys.executable, str(BENCHMARKS / program), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


def written():
    return {path: path.stat().st_mtime_ns for path in (BENCHMARKS / "results").iterdir()}


@pytest.mark.parametrize("name", ["assignment", "inference"])
def test_a_quick_comparison_runs_and_writes_nothing(name):
    before = written()
    assert run(f"bench_{name}.py", "--quick")
    assert written() == before


def test_every_comparison_has_rows_in_the_table():
    page = run("table.py", "--print")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and "ratio" not in line]
    assert len(rows) > 50
    for row in rows:
        assert len(row) == 7
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
