"""The command line: help worth reading, one line for wrong input, the whole job in little."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

import geojax
from geojax.cli import main
from geojax.demo import session
from geojax.demo.experiment import VARIANTS


def test_version_and_help_say_what_there_is(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"geojax {geojax.__version__}\n"
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for words in (
        "--data PATH",
        "--width N",
        "--out DIR",
        "--quick",
        "--seed N",
        "examples:",
        "results.json",
    ):
        assert words in shown


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["demo", "--width", "0"], ["demo", "--width", "x"], ["demo", "--seed", "9" * 30]],
)
def test_wrong_arguments_end_with_code_two(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def images_without_labels(folder):
    folder.mkdir()
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (3, 8, 8))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(3 * 64))[:-9])
    (folder / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]))
    return folder


def test_bad_data_is_one_line_and_code_two_without_any_output(tmp_path, capsys):
    out = tmp_path / "out"
    for path in (tmp_path / "nowhere", images_without_labels(tmp_path / "cut")):
        assert main(["demo", "--data", str(path), "--out", str(out)]) == 2
        shown = capsys.readouterr()
        assert shown.err.startswith("geojax: ")
        assert shown.err.count("\n") == 1
        assert str(path) in shown.err
        assert "Traceback" not in shown.err + shown.out
        assert not out.exists()


def test_an_output_folder_that_cannot_be_is_one_line_and_code_two(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err


def test_without_the_extra_the_message_says_what_to_install():
    program = "import sys; sys.modules['rich'] = None; from geojax.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "geojax-transforms[demo]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_small_demo_writes_its_picture_and_numbers(tmp_path, monkeypatch):
    """The perceptrons alone, on few images for one epoch: every stage runs, what it reaches is not looked at."""
    data, plan = session.digits().head(100, 50), session.Plan((8,), 8, 1, 1, 50, 50, 3)
    monkeypatch.setattr(session, "digits", lambda: data)
    monkeypatch.setattr(session, "_plan", lambda *_: plan)
    jobs = session.jobs
    monkeypatch.setattr(session, "jobs", lambda *given: jobs(*given)[:1])
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["mlp.png", "results.json"]
    (model,) = json.loads((out / "results.json").read_text())["models"].values()
    for variant in VARIANTS:
        assert np.isfinite(list(model[variant].values())).all()


@pytest.mark.full
def test_the_quick_demo_does_the_whole_job(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--quick", "--width", "32", "--channels", "16", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    for words in ("permutation", "not aligned", "repaired (", "results.json"):
        assert words in shown
    assert sorted(file.name for file in out.iterdir()) == ["conv.png", "mlp.png", "results.json"]
    read = json.loads((out / "results.json").read_text())
    assert read["data"] == "digits"
    for model in read["models"].values():
        assert model["endpoints"]["accuracy"] > 0.6
        for variant in VARIANTS:
            assert np.isfinite(list(model[variant].values())).all()
            assert model[variant]["barrier"] >= 0
        assert model["repaired"]["midpoint_accuracy"] > model["naive"]["midpoint_accuracy"]
