"""`geojax merge`: every method is that of the library on the whole models; wrong input writes nothing."""

import hashlib
import shutil

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from geojax import merging
from geojax.cli.files.merge_methods import METHODS
from geojax.io import load_safetensors, open_safetensors, save_safetensors

pytestmark = pytest.mark.x32
A, B, C, OUT = (f"{name}.safetensors" for name in ("a", "b", "c", "out"))


def expected():
    """Three models of two tensors, and what each method makes of them."""
    generator = np.random.default_rng(0)
    shapes = {"v": (2, 3), "w": (2, 3)}
    a, b, c = (
        {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        for _ in range(3)
    )
    w, ones = np.array([3.0, 1.0], np.float32), np.ones(2, np.float32)

    @jax.jit
    def merged(a, b, c):
        ab = jax.tree.map(lambda *leaves: jnp.stack(leaves), a, b)
        return {
            "average --weight 3 1": merging.average(ab, w),
            "interpolate": merging.interpolate(a, b, 0.5),
            "slerp --t 0.3": merging.slerp(a, b, 0.3),
            "karcher": merging.karcher(ab, ones).params,
            "task-arithmetic --weight 3 1": merging.task_arithmetic(c, ab, w),
            "ties --density 0.4": merging.ties(c, ab, ones, density=0.4),
            "dare --density 1": merging.task_arithmetic(c, ab, ones),
            "model-stock": merging.model_stock(c, ab),
        }

    return (a, b, c), merged(a, b, c)


def test_every_method_is_that_of_the_library(place, run):
    models, cases = expected()
    for path, model in zip((A, B, C), models):
        save_safetensors(path, model)
    assert {case.split()[0] for case in cases} == set(METHODS)
    for case, model in cases.items():
        name, *options = case.split()
        base = ["--base", C] if METHODS[name].base else []
        ended = run("merge", A, B, "-o", OUT, "--method", name, *options, *base)
        assert ended.code == 0, ended.err
        assert OUT in ended.out
        found = load_safetensors(OUT)
        assert list(found) == list(load_safetensors(A))
        for key, leaf in model.items():
            np.testing.assert_allclose(found[key], leaf, rtol=2e-5, atol=1e-6, err_msg=f"{case}: {key}")


def test_dare_drops_what_the_seed_says(place, run, draw):
    def merged(seed):
        arguments = ("--method", "dare", "--density", "0.5", "--base", C, "--seed", seed)
        assert run("merge", A, "-o", OUT, *arguments).code == 0
        return load_safetensors(OUT)

    first, again, other = merged(1), merged(1), merged(2)
    moved = np.concatenate([np.ravel(first[name] - leaf) for name, leaf in draw(2).items()])
    assert 0.2 < np.mean(np.abs(moved) < 1e-6) < 0.8
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_half_precision_is_rounded_once_and_kept_unless_another_dtype_is_asked_for(place, run, draw):
    for seed, name in enumerate("ab"):
        save_safetensors(f"{name}.safetensors", draw(seed, ml_dtypes.bfloat16))
    halves = [draw(seed, ml_dtypes.bfloat16) for seed in (0, 1)]
    assert run("merge", A, B, "-o", OUT).code == 0
    assert run("merge", A, B, "-o", "wide.safetensors", "--dtype", "float32").code == 0
    with open_safetensors(OUT) as narrow, open_safetensors("wide.safetensors") as wide:
        for name in narrow:
            mean = sum(half[name].astype(np.float32) for half in halves) / 2
            np.testing.assert_array_equal(narrow[name], mean.astype(ml_dtypes.bfloat16))
            np.testing.assert_array_equal(wide[name], mean)


def test_a_dry_run_says_the_size_and_writes_nothing(place, run):
    before = sorted(place.iterdir())
    ended = run("merge", A, B, "-o", OUT, "--dry-run")
    assert ended.code == 0
    assert sorted(place.iterdir()) == before
    assert run("merge", A, B, "-o", OUT, "-q") == (0, "", "")
    size = (place / OUT).stat().st_size
    assert f"{size} bytes" in ended.out
    assert "in place of" in run("merge", A, B, "-o", OUT, "--dry-run").out


WRONG = {
    "missing": ([A, "none.safetensors"], "none.safetensors"),
    "truncated": ([A, "cut.safetensors"], "cut.safetensors"),
    "other tensors": ([A, "small.safetensors"], "missing: "),
    "other dtype": ([A, "half.safetensors"], "--dtype"),
    "not finite": ([A, "nan.safetensors"], "--allow-nonfinite"),
    "other integers": (["x.safetensors", "y.safetensors"], "--integers-from-first"),
    "pickle": ([A, "model.bin"], "pickle"),
    "unknown method": ([A, B, "--method", "magic"], "'magic'"),
    "one model": ([A], "2 or more models"),
    "three to slerp": ([A, B, C, "--method", "slerp"], "exactly 2"),
    "no base": ([A, B, "--method", "ties"], "--base"),
    "a base too many": ([A, B, "--base", C], "goes with task-arithmetic"),
    "t": ([A, B, "--t", "0.5"], "interpolate, slerp"),
    "density": ([A, B, "--density", "0.5"], "ties, dare"),
    "no density": ([A, B, "--method", "dare", "--base", C, "--density", "0"], "--density"),
    "seed": ([A, B, "--seed", "1"], "--seed"),
    "weights": ([A, B, "--weight", "1", "2", "3"], "3 numbers for 2 models"),
    "weights that cancel": ([A, B, "--weight", "1", "-1"], "positive sum"),
    "negative": ([A, B, "--method", "karcher", "--weight", "2", "-1"], "negative"),
    "not a number": ([A, B, "--weight", "x"], "--weight"),
    "align without model": ([A, B, "--align"], "--model"),
    "model without align": ([A, B, "--model", "toy.json"], "--align"),
    "over an input": ([A, B, "-o", B], "input"),
    "over an input by a link": ([A, B, "-o", "link"], "input"),
    "over the base": ([A, B, "--base", C, "--method", "ties", "-o", C], "input"),
    "a folder": ([A, B, "-o", "."], "folder"),
    "nowhere": ([A, B, "-o", "none/out.safetensors"], "no folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_code_two_and_leaves_everything_as_it_was(case, place, run, draw):
    save_safetensors("small.safetensors", {"head.weight": np.ones((2, 6), np.float32)})
    save_safetensors("half.safetensors", draw(1, np.float16))
    save_safetensors("nan.safetensors", {name: leaf * np.nan for name, leaf in draw(1).items()})
    for number, name in enumerate("xy"):
        save_safetensors(f"{name}.safetensors", draw(0) | {"step": np.array([number])})
    (place / "cut.safetensors").write_bytes((place / A).read_bytes()[:-4])
    (place / "model.bin").write_bytes(b"\x80\x04.")
    (place / "link").symlink_to(A)
    arguments, words = WRONG[case]

    def state():
        return {
            file.name: hashlib.sha256(file.read_bytes()).digest()
            for file in place.iterdir()
            if file.is_file()
        }

    before = state()
    ended = run("merge", *([] if "-o" in arguments else ["-o", OUT]), *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""
    assert state() == before


def test_a_full_disk_is_found_before_anything_is_written(place, run, monkeypatch):
    usage = shutil.disk_usage(place)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    for extra in ([], ["--dry-run"]):
        ended = run("merge", A, B, "-o", OUT, *extra)
        assert ended.code == 2
        assert "room" in ended.err or "left" in ended.err
    assert not list(place.glob("*out*"))


def test_a_disk_that_fills_meanwhile_leaves_nothing(place, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    ended = run("merge", A, B, "-o", OUT)
    assert ended.code == 2
    assert "No space left" in ended.err
    assert not [file for file in place.iterdir() if "out" in file.name]


def test_a_folder_that_cannot_be_written_to_is_named(place, run, monkeypatch):
    (place / "locked").mkdir()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(
        "tempfile.TemporaryFile", refuse
    )  # root may write anywhere, so the mode alone says nothing
    ended = run("merge", A, B, "-o", "locked/out.safetensors")
    assert ended.code == 2
    assert "locked" in ended.err


def test_an_interrupt_in_the_middle_leaves_nothing(place, run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("geojax.io.formats.writing.SafetensorsWriter.write", interrupted)
    assert run("merge", A, B, "-o", OUT).code == 130
    assert not [file for file in place.iterdir() if "out" in file.name]
