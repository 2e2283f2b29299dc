"""Reading and writing safetensors files, beside the format's own library."""

import gc
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from geojax.io import Checkpoint, CheckpointError, load_safetensors, open_safetensors, save_safetensors
from tests.io.files import every_dtype, same_bits


def by_library(path):
    """What the library reads: it knows eight-bit floats as bytes only."""
    with open(path, "rb") as file:
        return {
            name: (item["dtype"], item["shape"], bytes(item["data"])) for name, item in _deserialize(file)
        }


def _deserialize(file):
    return safetensors.deserialize(file.read())


def test_matches_safetensors_when_it_reads_what_we_wrote(tmp_path):
    from geojax.io.formats.header import NAMES

    tensors = every_dtype()
    save_safetensors(tmp_path / "ours", tensors, metadata={"format": "pt", "é": "ü"})
    theirs = by_library(tmp_path / "ours")
    assert set(theirs) == set(tensors)
    for name, (dtype, shape, data) in theirs.items():
        want = tensors[name]
        assert (dtype, tuple(shape), data) == (NAMES[want.dtype], want.shape, want.tobytes()), name
    with safetensors.safe_open(tmp_path / "ours", framework="np") as file:
        assert file.metadata() == {"format": "pt", "é": "ü"}


def test_matches_safetensors_when_we_read_what_it_wrote(tmp_path):
    tensors = every_dtype(1)
    safetensors.numpy.save_file(tensors, tmp_path / "theirs", {"a": "b"})
    with open_safetensors(tmp_path / "theirs") as ours:
        assert ours.metadata == {"a": "b"}
        assert set(ours) == set(tensors)
        assert len(ours) == len(tensors)
        for name, want in tensors.items():
            assert same_bits(ours[name], want), name
            assert (ours.shapes[name].shape, ours.shapes[name].dtype) == (want.shape, want.dtype)
            assert same_bits(ours.read(name), want.reshape(-1)), name


def test_bytes_are_those_of_the_library_for_one_dtype(tmp_path):
    tensors = {name: np.arange(6, dtype=np.float32).reshape(2, 3) for name in "abc"}
    save_safetensors(tmp_path / "ours", tensors)
    safetensors.numpy.save_file(tensors, tmp_path / "theirs")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_views_are_read_only_and_outlive_the_checkpoint(tmp_path):
    save_safetensors(tmp_path / "f", {"w": np.arange(5000.0), "e": np.zeros((0, 3))})
    checkpoint = open_safetensors(tmp_path / "f")
    view = checkpoint["w"]
    assert not view.flags.owndata
    for name in checkpoint:
        with pytest.raises(ValueError, match="read-only"):
            checkpoint[name][...] = 1
    checkpoint.release("w")
    checkpoint.close()
    del checkpoint
    gc.collect()
    assert np.array_equal(view, np.arange(5000.0))


def test_a_closed_checkpoint_says_so(tmp_path):
    save_safetensors(tmp_path / "f", {"w": np.ones(3)})
    with open_safetensors(tmp_path / "f") as checkpoint:
        pass
    with pytest.raises(ValueError, match="closed"):
        checkpoint["w"]
    with pytest.raises(ValueError, match="closed"):
        checkpoint.read("w")


def test_read_copies_a_piece(tmp_path):
    save_safetensors(tmp_path / "f", {"w": np.arange(12, dtype=np.int16).reshape(3, 4)})
    with open_safetensors(tmp_path / "f") as checkpoint:
        out = np.empty(3, np.int16)
        assert checkpoint.read("w", 5, out) is out
        assert out.tolist() == [5, 6, 7]
        assert checkpoint.read("w", 10).tolist() == [10, 11]


def test_an_unknown_name_suggests_others(tmp_path):
    save_safetensors(tmp_path / "f", {"bert.pooler.bias": np.ones(3)})
    with open_safetensors(tmp_path / "f") as checkpoint, pytest.raises(KeyError, match=r"bert\.pooler\.bias"):
        checkpoint["pooler.bias"]


def test_load_gives_jax_arrays_of_the_same_bits(tmp_path):
    tensors = every_dtype(2)
    save_safetensors(tmp_path / "f", tensors)
    for name, array in load_safetensors(tmp_path / "f").items():
        assert isinstance(array, jax.Array)
        assert same_bits(np.asarray(array), tensors[name]), name


@pytest.mark.x32
def test_load_without_64_bit_types_narrows_but_never_wraps(tmp_path):
    save_safetensors(tmp_path / "f", {"x": np.array([1.5, 1e-3]), "n": np.array([2**31 - 1, -(2**31)])})
    found = load_safetensors(tmp_path / "f")
    assert found["x"].dtype == jnp.float32
    assert found["n"].tolist() == [2**31 - 1, -(2**31)]
    save_safetensors(tmp_path / "f", {"n": np.array([2**31])})
    with pytest.raises(CheckpointError, match=r"'n'.*int32"):
        load_safetensors(tmp_path / "f")


def test_jax_arrays_and_checkpoints_can_be_saved(tmp_path):
    tensors = {
        "a": jnp.arange(3, dtype=jnp.bfloat16),
        "b": jnp.zeros((2, 2)),
        "c": np.arange(6.0).reshape(2, 3).T,
    }
    save_safetensors(tmp_path / "one", tensors)
    with open_safetensors(tmp_path / "one") as checkpoint:
        save_safetensors(tmp_path / "two", checkpoint)
        assert np.array_equal(checkpoint["c"], tensors["c"])
        with pytest.raises(CheckpointError, match="one of the inputs"):
            save_safetensors(tmp_path / "one", checkpoint)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    "tensors, error, words",
    [
        ({"a": 1.0}, TypeError, "'a' is a float"),
        ({"a": {"b": np.ones(2)}}, TypeError, "flatten"),
        ({"a": jax.random.key(0)}, TypeError, "key_data"),
        ({"a": np.ones(2, np.complex128)}, CheckpointError, "complex128"),
        ({"a": np.ones(2, jnp.int4)}, CheckpointError, "int4"),
        ({"a": np.array(["x"])}, CheckpointError, "'a': dtype <U1"),
        ({"__metadata__": np.ones(2)}, CheckpointError, "__metadata__"),
        ({"\ud800": np.ones(2)}, CheckpointError, "no tensor can have the name"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, tensors, error, words):
    with pytest.raises(error, match=words):
        save_safetensors(tmp_path / "f", tensors)
    assert list(tmp_path.iterdir()) == []


def test_metadata_must_be_text(tmp_path):
    with pytest.raises(CheckpointError, match="metadata"):
        save_safetensors(tmp_path / "f", {}, metadata={"a": 1})


def shards(folder, tensors, homes, words=None):
    folder.mkdir(exist_ok=True)
    for file in set(homes.values()):
        here = {name: tensors[name] for name in tensors if homes[name] == file}
        save_safetensors(folder / file, here)
    index = {"weight_map": homes, "metadata": words or {"total_size": 3}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


TENSORS = {name: np.full(3, number, np.float32) for number, name in enumerate("abcd")}
HOMES = {"a": "1.safetensors", "b": "2.safetensors", "c": "1.safetensors", "d": "2.safetensors"}


def test_shards_read_as_one(tmp_path):
    folder = shards(tmp_path, TENSORS, HOMES, {"format": "pt", "total_size": 48})
    for path in (folder, folder / "model.safetensors.index.json"):
        with open_safetensors(path) as checkpoint:
            assert isinstance(checkpoint, Checkpoint)
            assert {name: array.tolist() for name, array in checkpoint.items()} == {
                name: array.tolist() for name, array in TENSORS.items()
            }
            assert checkpoint.metadata == {"format": "pt"}
            assert len(checkpoint.files) == 2


def test_a_folder_with_one_file_is_that_file(tmp_path):
    save_safetensors(tmp_path / "adapter.safetensors", {"w": np.ones(2)})
    assert list(open_safetensors(tmp_path)) == ["w"]
    save_safetensors(tmp_path / "model.safetensors", {"v": np.ones(2)})
    assert list(open_safetensors(tmp_path)) == ["v"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="0 other safetensors files"):
        open_safetensors(tmp_path / "empty")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda homes: {**homes, "e": "1.safetensors"}, "missing: 'e' in 1"),
        (lambda homes: {k: v for k, v in homes.items() if k != "a"}, "not in the index: 'a' in 1"),
        (lambda homes: {**homes, "a": "2.safetensors"}, "missing: 'a' in 2"),
        (lambda homes: {**homes, "a": "../1.safetensors"}, "own folder"),
        (lambda homes: {**homes, "a": 3}, "own folder"),
        (lambda homes: {}, "weight_map"),
        (lambda homes: [], "weight_map"),
    ],
)
def test_an_index_that_lies_is_refused(tmp_path, change, words):
    shards(tmp_path, TENSORS, HOMES)
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": change(HOMES)}))
    with pytest.raises(CheckpointError, match=words):
        open_safetensors(path)


def test_an_index_that_is_not_json_is_refused(tmp_path):
    path = tmp_path / "model.safetensors.index.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(CheckpointError, match="not JSON"):
        open_safetensors(path)


def test_a_missing_shard_is_named(tmp_path):
    shards(tmp_path, TENSORS, HOMES)
    (tmp_path / "2.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"2\.safetensors"):
        open_safetensors(tmp_path)


def test_a_pickle_is_never_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(CheckpointError, match="pickle"):
        open_safetensors(tmp_path / "pytorch_model.bin")


def test_a_file_that_shrinks_while_open_is_an_error_for_read(tmp_path):
    save_safetensors(tmp_path / "f", {"w": np.ones(1000)})
    with open_safetensors(tmp_path / "f") as checkpoint:
        with open(tmp_path / "f", "r+b") as file:
            file.truncate(2000)
        with pytest.raises(CheckpointError, match="became shorter"):
            checkpoint.read("w")
