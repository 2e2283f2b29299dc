"""The files of the demonstration: whole or absent, and of the promised form."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from geojax.demo.errors import DemoError
from geojax.demo.experiment import VARIANTS, Outcome, Path
from geojax.demo.pictures import picture
from geojax.demo.report import claim_folder, results, table, write_all
from geojax.symmetry import SymmetrySpec


def outcome(name="mlp"):
    times = np.linspace(0, 1, 5)
    paths = {
        variant: Path(times, 0.3 + (5 - i) * times * (1 - times), 0.1 * i, 0.3 + i, 0.9 - 0.1 * i)
        for i, variant in enumerate(VARIANTS)
    }
    return Outcome(name, SymmetrySpec((), ()), (0.3, 0.4), (0.9, 0.8), paths, "both")


def test_results_have_exactly_the_promised_form():
    read = json.loads(results("digits", [outcome("mlp"), outcome("conv")]))
    assert set(read) == {"data", "models"}
    assert read["data"] == "digits"
    assert set(read["models"]) == {"mlp", "conv"}
    model = read["models"]["mlp"]
    assert set(model) == {"endpoints", "naive", "weights", "activations", "both", "repaired"}
    assert model["endpoints"] == pytest.approx({"loss": 0.35, "accuracy": 0.85})
    for variant in VARIANTS:
        assert set(model[variant]) == {"barrier", "midpoint_loss", "midpoint_accuracy"}
    assert model["both"] == pytest.approx({"barrier": 0.3, "midpoint_loss": 3.3, "midpoint_accuracy": 0.6})


def test_the_table_names_every_variant_and_what_was_repaired():
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table("digits", outcome()))
    text = console.export_text()
    for words in ("not aligned", "by weights", "by activations", "by both", "repaired (both)", "105.9%"):
        assert words in text


def test_a_picture_is_a_png_of_a_decent_size():
    image = picture("digits", outcome())
    assert image.startswith(b"\x89PNG")
    width, height = (int.from_bytes(image[i : i + 4], "big") for i in (16, 20))
    assert width >= 1200
    assert height >= 500


def test_all_files_appear_under_their_names_and_nothing_else(tmp_path):
    write_all(tmp_path, {"a.png": b"one", "results.json": b"two"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "a.png": b"one",
        "results.json": b"two",
    }


def test_a_failure_leaves_the_old_files_and_no_temporary_ones(tmp_path, monkeypatch):
    (tmp_path / "results.json").write_bytes(b"old")
    calls = []

    def fails(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(DemoError, match="No space left on device"):
        write_all(tmp_path, {"a.png": b"one", "results.json": b"two"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"results.json": b"old"}


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.full)])
def test_a_kill_in_the_middle_of_writing_leaves_no_half_file(tmp_path, number):
    # The child stops for good in the middle of its second file; the parent kills it there.
    program = textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from geojax.demo import report, session

        count = 0
        def pause(handle):
            global count
            count += 1
            if count == 2:
                print("writing", flush=True)
                time.sleep(60)

        os.fsync = pause
        with session.ended_by_signals():
            report.write_all(Path(sys.argv[1]), {"a.png": b"x" * 1000, "results.json": b"y" * 1000})
    """)
    (tmp_path / "results.json").write_bytes(b"old")
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"writing\n"
        child.send_signal(number)
        assert child.wait(timeout=30) != 0
    finally:
        child.kill()
        child.stdout.close()
    visible = {file.name: file.read_bytes() for file in tmp_path.iterdir() if not file.name.startswith(".")}
    assert visible == {"results.json": b"old"}
    if number == signal.SIGTERM:
        assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_an_output_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "demo").write_text("")
    with pytest.raises(DemoError, match="--out"):
        claim_folder(tmp_path / "demo")
    with pytest.raises(DemoError, match="--out"):
        claim_folder(tmp_path / "demo" / "inside")
