"""The program around the commands: help, exit codes, errors in one line, what starts fast and what is missing."""

import os
import re
import signal
import subprocess
import sys

import pytest

import geojax
from geojax.cli import main
from geojax.cli.application import application

pytestmark = pytest.mark.x32
COMMANDS = sorted(application.commands)


def program(*arguments, code="from geojax.cli import main; sys.exit(main(sys.argv[1:]))", **environment):
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_version_and_help_import_nothing_slow():
    code = (
        "from geojax.cli import main\ntry: main(sys.argv[1:])\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    for arguments in (["--version"], ["--help"], ["merge", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", "import sys\n" + code, *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert not {"jax", "numpy", "rich", "matplotlib"} & set(done.stderr.split())
    assert program("--version").stdout == f"geojax {geojax.__version__}\n"


def test_the_help_lists_every_command_with_a_line_and_the_exit_codes(run):
    shown = run("--help")
    assert shown.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", shown.out, re.MULTILINE)
    for words in ("0 success", "1 a check failed", "2 wrong input", "130 interrupted", "_GEOJAX_COMPLETE"):
        assert words in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples_of_it_and_fits_80_columns(command, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(command, "--help")
    assert shown.code == 0
    assert shown.out.count(f"\n    geojax {command}") >= 2
    assert max(map(len, shown.out.splitlines())) <= 80
    # Options that the examples name exist.
    examples = shown.out[shown.out.index("examples:") :]
    known = {name for option in application.commands[command].params for name in option.opts}
    assert set(re.findall(r"(?<= )--?[a-z-]+", examples)) <= known


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["merge", "--nonsense"], ["inspect"], ["merge", "a", "--method", "magic"]]
)
def test_wrong_arguments_are_one_line_that_names_the_help(arguments, run):
    ended = run(*arguments)
    assert ended.code == 2
    assert "error:" in ended.err
    assert "--help" in ended.err
    assert ended.err.count("\n") == 1


def test_without_click_the_message_names_the_extra():
    done = program(
        code="sys.modules['click'] = None; from geojax.cli import main; sys.exit(main(['inspect', 'x']))"
    )
    assert done.returncode == 2
    assert "geojax-transforms[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_rich_the_message_names_the_extra(tmp_path):
    done = program(
        code="sys.modules['rich'] = None; from geojax.cli import main; sys.exit(main(['inspect', 'x']))"
    )
    assert done.returncode == 2
    assert "geojax-transforms[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_with_code_130(monkeypatch, run):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("geojax.cli.files.models.resolve", interrupted)
    ended = run("symmetries", "x")
    assert ended.code == 130
    assert "interrupted" in ended.err


def test_a_request_to_terminate_removes_temporary_files(place, run, monkeypatch):
    def terminated(*_, **__):
        assert list(place.glob(".geojax-*"))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("geojax.cli.commands.merge.align_file", terminated)
    arguments = (
        "merge",
        "a.safetensors",
        "b.safetensors",
        "--model",
        "toy.json",
        "--align",
        "-o",
        "out.safetensors",
    )
    assert run(*arguments).code == 143
    assert not list(place.glob(".geojax-*"))
    assert not (place / "out.safetensors").exists()


def test_a_reader_that_goes_away_is_no_error(monkeypatch):
    def closed(*_, **__):
        raise BrokenPipeError

    closing = []
    monkeypatch.setattr("geojax.cli.files.models.resolve", closed)
    monkeypatch.setattr("os.dup2", lambda source, target: closing.append(target))
    with open(os.devnull, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        assert main(["symmetries", "x"]) == 141
        monkeypatch.undo()
    assert len(closing) == 1


def test_a_defect_of_the_program_is_told_from_wrong_input(monkeypatch, run):
    def defect(*_, **__):
        raise RuntimeError("on purpose")

    monkeypatch.setattr("geojax.cli.files.models.resolve", defect)
    ended = run("symmetries", "x")
    assert ended.code == 70
    assert "on purpose" in ended.err
    assert "--debug" in ended.err


def test_debug_shows_the_traceback(place, capsys, monkeypatch):
    assert main(["inspect", "none.safetensors", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("GEOJAX_DEBUG", "1")
    assert main(["inspect", "none.safetensors"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_completion_offers_the_commands():
    environment = {"_GEOJAX_COMPLETE": "bash_complete", "COMP_WORDS": "geojax sy", "COMP_CWORD": "1"}
    assert "symmetries" in program(**environment).stdout
    assert "complete" in program(_GEOJAX_COMPLETE="bash_source").stdout


def test_quiet_prints_nothing_but_errors(place, run):
    assert run("inspect", "a.safetensors", "-q") == (0, "", "")
    assert run("inspect", "a.safetensors", "-q", "--json") == (0, "", "")
    assert run("inspect", "none.safetensors", "-q").err


def test_colours_are_for_terminals_and_no_color_is_respected(place, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["symmetries", "toy.json"])
    assert "\x1b[33m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["symmetries", "toy.json"])
    assert "\x1b[33m" not in capsys.readouterr().out
