"""docs/cli.md: its module and its commands run, and print what the guide shows, up to the numbers."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.x32
GUIDE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SIZE = re.compile(r"[\d.,]+ (bytes|[kMGT]B)\b")
NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?%?")


def comparable(text):
    """The words of an output: without numbers, bars and the places where lines end."""
    return re.sub(r"[█─]", "", NUMBER.sub("#", SIZE.sub("# B", text))).split()


@pytest.mark.full  # each command has its tests in commands/
def test_the_guide_runs_as_printed(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", sys.path[:])
    monkeypatch.setenv("COLUMNS", "80")
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        name = re.match(r"# (\S+\.py)\n", block)
        assert name, "a module begins with its name"
        Path(name[1]).write_text(block)
    steps = [
        step.partition("\n")
        for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    assert len(steps) > 8
    for command, _, shown in steps:
        program, *arguments = shlex.split(command)
        if program == "python":
            runpy.run_path(arguments[0], run_name="__main__")
            continue
        assert program == "geojax"
        ended = run(*arguments)
        assert ended.code == (2 if "error:" in shown or shown.startswith("geojax:") else 0), ended.err
        assert comparable(ended.out + ended.err) == comparable(shown), command
