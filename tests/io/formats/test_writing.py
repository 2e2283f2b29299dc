"""Writing: whole or not at all, whatever happens in between."""

import contextlib
import errno
import os
import signal
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from geojax.io import CheckpointError, SafetensorsWriter, open_safetensors, save_safetensors, stream_merge
from geojax.io.formats import whole
from tests.io.files import digest

SHAPES = {"a": np.zeros((2, 3), np.float32), "b": np.zeros(5, np.int8), "s": np.zeros((), np.float64)}


def filled(seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(rng.normal(size=like.shape) * 9).astype(like.dtype) for name, like in SHAPES.items()
    }


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_law_pieces_in_any_order_of_tensors_make_the_same_file(tmp_path):
    tensors = filled()
    save_safetensors(tmp_path / "whole", tensors)
    with SafetensorsWriter(tmp_path / "pieces", SHAPES) as writer:
        assert writer.size == (tmp_path / "whole").stat().st_size
        writer.write("b", tensors["b"][:2])
        writer.write("s", tensors["s"])
        for start, stop in ((0, 1), (1, 5), (5, 6)):
            writer.write("a", tensors["a"].reshape(-1)[start:stop])
        writer.write("b", tensors["b"][2:])
    assert digest(tmp_path / "pieces") == digest(tmp_path / "whole")


@pytest.mark.parametrize(
    "name, array, words",
    [
        ("new", np.zeros(3), "not announced"),
        ("a", np.zeros((2, 3)), r"got float64\[2, 3\]; announced was float32\[2, 3\]"),
        ("a", np.zeros((3, 2), np.float32), r"got float32\[3, 2\]"),
        ("a", np.zeros(7, np.float32), "24 bytes are left"),
        ("b", np.zeros((1, 5), np.int8), r"int8\[1, 5\]"),
    ],
)
def test_what_was_not_announced_is_refused(tmp_path, name, array, words):
    with pytest.raises(CheckpointError, match=words), SafetensorsWriter(tmp_path / "f", SHAPES) as writer:
        writer.write(name, array)
    assert listing(tmp_path) == []


def test_a_tensor_that_lacks_is_an_error_and_no_file(tmp_path):
    writer = SafetensorsWriter(tmp_path / "f", SHAPES).__enter__()
    writer.write("a", filled()["a"])
    writer.write("b", filled()["b"][:3])
    with pytest.raises(CheckpointError, match=r"'s': 8 bytes\n.*'b': 2 bytes"):
        writer.__exit__(None, None, None)
    assert listing(tmp_path) == []


def test_an_exception_leaves_what_was_there(tmp_path):
    save_safetensors(tmp_path / "f", filled(1))
    before = digest(tmp_path / "f")
    writer = SafetensorsWriter(tmp_path / "f", SHAPES).__enter__()
    writer.write("a", filled()["a"])
    assert listing(tmp_path) == [".f.partial", "f"]
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert listing(tmp_path) == ["f"]
    assert digest(tmp_path / "f") == before


def test_nothing_is_there_under_the_name_before_the_end(tmp_path):
    with SafetensorsWriter(tmp_path / "f", SHAPES) as writer:
        for name, array in filled().items():
            writer.write(name, array)
        assert listing(tmp_path) == [".f.partial"]
    assert listing(tmp_path) == ["f"]


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    with SafetensorsWriter(tmp_path / "f", SHAPES) as writer:
        with (
            pytest.raises(CheckpointError, match="another process"),
            SafetensorsWriter(tmp_path / "f", SHAPES),
        ):
            pass
        for name, array in filled().items():
            writer.write(name, array)
    save_safetensors(tmp_path / "f", filled(1))


def test_a_link_is_followed_and_a_folder_refused(tmp_path):
    (tmp_path / "store").mkdir()
    save_safetensors(tmp_path / "store" / "f", filled())
    (tmp_path / "link").symlink_to(tmp_path / "store" / "f")
    save_safetensors(tmp_path / "link", filled(1))
    assert (tmp_path / "link").is_symlink()
    with open_safetensors(tmp_path / "store" / "f") as found:
        assert np.array_equal(found["a"], filled(1)["a"])
    with pytest.raises(CheckpointError, match="folder"):
        save_safetensors(tmp_path / "store", filled())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save_safetensors(tmp_path / "nowhere" / "f", filled())


def test_no_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(whole.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(CheckpointError, match="room for 100"):
        save_safetensors(tmp_path / "f", filled())
    assert listing(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_meanwhile(tmp_path, monkeypatch, number):
    save_safetensors(tmp_path / "f", filled(1))
    before, pwrite = digest(tmp_path / "f"), os.pwrite

    def full(descriptor, data, place):
        if place + len(data) > 300:
            raise OSError(number, os.strerror(number))
        return pwrite(descriptor, data, place)

    with monkeypatch.context() as patch:
        patch.setattr(whole.os, "pwrite", full)
        with pytest.raises(CheckpointError, match="the disk is full"):
            save_safetensors(tmp_path / "f", {"w": np.ones(100)})
    assert listing(tmp_path) == ["f"]
    assert digest(tmp_path / "f") == before
    save_safetensors(tmp_path / "f", {"w": np.ones(100)})


def test_short_writes_are_gone_on_with(tmp_path, monkeypatch):
    save_safetensors(tmp_path / "whole", filled())
    pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(whole.os, "pwrite", lambda descriptor, data, place: pwrite(descriptor, data[:7], place))
        save_safetensors(tmp_path / "f", filled())
    assert digest(tmp_path / "f") == digest(tmp_path / "whole")


def inputs(folder):
    paths = [folder / "a.safetensors", folder / "b.safetensors"]
    for seed, path in enumerate(paths):
        save_safetensors(path, {f"w{i}": np.random.default_rng(seed).normal(size=3000) for i in range(3)})
    return paths


@pytest.mark.parametrize("kind", ["same", "hard link", "symbolic link", "shard"])
def test_an_input_is_never_written_over(tmp_path, kind):
    a, b = inputs(tmp_path)
    out, paths = a, [a, b]
    if kind == "hard link":
        out = tmp_path / "hard"
        os.link(a, out)
    elif kind == "symbolic link":
        out = tmp_path / "soft"
        out.symlink_to(b)
    elif kind == "shard":
        index = tmp_path / "model.safetensors.index.json"
        index.write_text(
            '{"weight_map": {"w0": "a.safetensors", "w1": "a.safetensors", "w2": "a.safetensors"}}'
        )
        paths = [index, b]
    before = [digest(path) for path in (a, b)]
    with pytest.raises(CheckpointError, match="one of the inputs"):
        stream_merge(jnp.add, paths, out)
    assert [digest(path) for path in (a, b)] == before
    assert not any(name.endswith(".partial") for name in listing(tmp_path))


CHILD = """
import os, resource, signal, sys
import numpy as np
from geojax.io import CheckpointError, SafetensorsWriter
assert not {"orbax", "flax", "geojax.symmetry"} & set(sys.modules), "looking into files is to start quickly"
os.chdir(sys.argv[1])
like = np.zeros(3000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30000, resource.RLIM_INFINITY))
try:
    with SafetensorsWriter("limited", {"w0": like, "w1": like}) as writer:
        writer.write("w0", like)
        writer.write("w1", like)
except CheckpointError as error:
    print(error, os.listdir(), flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with SafetensorsWriter("out", {"w0": like, "w1": like}) as writer:
    writer.write("w0", like + 7)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_limit_of_the_system_and_kill_9_leave_no_result_and_a_rerun_succeeds(tmp_path):
    a, b = inputs(tmp_path)
    before = [digest(path) for path in (a, b)]
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert "the disk is full (File too large)" in ended.stdout
    assert "limited" not in ended.stdout.split("[")[-1]
    assert listing(tmp_path) == [".out.partial", "a.safetensors", "b.safetensors"]
    stream_merge(lambda x, y: x + y, [a, b], tmp_path / "out", elementwise=True)
    assert listing(tmp_path) == ["a.safetensors", "b.safetensors", "out"]
    assert [digest(path) for path in (a, b)] == before
    with open_safetensors(tmp_path / "out") as out, open_safetensors(a) as x, open_safetensors(b) as y:
        assert all(np.array_equal(out[name], x[name] + y[name]) for name in x)


def test_a_merge_that_fails_leaves_inputs_and_old_output(tmp_path):
    a, b = inputs(tmp_path)
    save_safetensors(tmp_path / "out", {"old": np.ones(3)})
    before = {name: digest(tmp_path / name) for name in listing(tmp_path)}
    whole = b.read_bytes()
    sick = np.random.default_rng(1).normal(size=3000)
    sick[17] = np.nan
    faults = {
        "cut off": whole[:-1],
        "header cut off": whole[:50],
        "empty": b"",
        "length": b"\xff" * 8 + whole[8:],
        "offset": whole.replace(b"[0,24000]", b"[8,24000]"),
        "name twice": whole.replace(b'"w1"', b'"w0"'),
        "other name": whole.replace(b'"w1"', b'"v1"'),
        "other dtype": whole.replace(b'"F64"', b'"I64"'),
        "NaN": whole[: -3 * 24000] + sick.tobytes() + whole[-2 * 24000 :],
    }
    for fault, data in faults.items():
        assert data != whole, fault
        b.write_bytes(data)
        with pytest.raises(CheckpointError):
            stream_merge(lambda x, y: x + y, [a, b], tmp_path / "out", elementwise=True)
        b.write_bytes(whole)
        assert {name: digest(tmp_path / name) for name in listing(tmp_path)} == before, fault
    stream_merge(lambda x, y: x + y, [a, b], tmp_path / "out", elementwise=True)
    with contextlib.closing(open_safetensors(tmp_path / "out")) as out:
        assert set(out) == {"w0", "w1", "w2"}
