"""`geojax inspect`: every format, every fault."""

import json
import struct

import flax.serialization
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest

from geojax.cli.screen.patterns import collapse, pattern, shared_stem
from geojax.io import save_safetensors

pytestmark = pytest.mark.x32
TREE = {"params": {"Dense_0": {"kernel": np.ones((3, 4), np.float32), "bias": np.zeros(4, np.float32)}}}


def write(path, header, body=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def test_json_holds_every_tensor_as_it_was_written(place, run, draw):
    ended = run("inspect", "a.safetensors", "--json")
    found = json.loads(ended.out)
    assert ended.code == 0
    assert {tensor["name"]: tuple(tensor["shape"]) for tensor in found["tensors"]} == {
        name: array.shape for name, array in draw(0).items()
    }
    assert found["num_parameters"] == sum(array.size for array in draw(0).values())
    assert found["num_bytes"] == 4 * found["num_parameters"]
    assert found["metadata"] == {"format": "pt"}
    assert found["format"] == "safetensors"


def test_layers_that_repeat_are_one_row_unless_all_are_asked_for(place, run):
    short, long = run("inspect", "a.safetensors"), run("inspect", "a.safetensors", "--all")
    assert "layers.*.bias" in short.out
    assert "layers.1.bias" not in short.out
    assert "layers.1.bias" in long.out
    for words in ("5 tensors", "float32", "format: pt"):
        assert words in short.out
    assert max(map(len, long.out.splitlines())) <= 80


def test_shards_are_one_checkpoint(place, run, draw):
    folder = place / "sharded"
    folder.mkdir()
    homes = {}
    for number, (name, array) in enumerate(draw(0).items()):
        homes[name] = f"part-{number}.safetensors"
        save_safetensors(folder / homes[name], {name: array})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))
    for path in (folder, folder / "model.safetensors.index.json"):
        found = json.loads(run("inspect", path, "--json").out)
        assert {tensor["name"] for tensor in found["tensors"]} == set(homes)
    assert "in 5 files" in run("inspect", folder).out


def test_an_orbax_folder_is_listed_without_reading_it(place, run, monkeypatch):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(place / "orbax", TREE)
    found = json.loads(run("inspect", "orbax", "--json", "--check").out)
    monkeypatch.setattr("geojax.io.load_orbax", None)
    lazy = json.loads(run("inspect", "orbax", "--json").out)
    for each in (found, lazy):
        assert each["format"] == "orbax"
        assert {tensor["name"] for tensor in each["tensors"]} == {
            "params/Dense_0/kernel",
            "params/Dense_0/bias",
        }


def test_a_flax_file_is_listed(place, run):
    (place / "state.msgpack").write_bytes(flax.serialization.to_bytes(TREE))
    found = json.loads(run("inspect", "state.msgpack", "--json").out)
    assert found["format"] == "flax"
    assert {tensor["name"]: tensor["shape"] for tensor in found["tensors"]} == {
        "params/Dense_0/kernel": [3, 4],
        "params/Dense_0/bias": [4],
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_check_counts_nan_and_infinity_and_ends_with_code_one(place, run, draw, dtype):
    tensors = draw(0, dtype)
    tensors["layers.0.weight"][0] = np.nan
    tensors["head.weight"][1, 2] = -np.inf
    save_safetensors("bad.safetensors", tensors)
    ended = run("inspect", "bad.safetensors", "--check", "--json")
    assert ended.code == 1
    counts = {t["name"]: (t["num_nan"], t["num_inf"]) for t in json.loads(ended.out)["tensors"]}
    assert counts["layers.0.weight"] == (3, 0)
    assert counts["head.weight"] == (0, 1)
    assert sum(map(sum, counts.values())) == 4
    assert "2 tensors" in ended.err
    assert run("inspect", "bad.safetensors").code == 0
    good = run("inspect", "a.safetensors", "--check")
    assert good.code == 0
    assert "all numbers are finite" in good.out


def test_architectures_are_known_by_their_names(place, run):
    for known, name in {
        "BERT": "bert.encoder.layer.0.attention.self.query.weight",
        "GPT-2": "h.0.attn.c_attn.weight",
        "Llama": "model.layers.0.self_attn.q_proj.weight",
        "ViT": "vit.encoder.layer.0.attention.attention.query.weight",
        "ResNet": "resnet.encoder.stages.0.layers.0.layer.0.convolution.weight",
    }.items():
        save_safetensors("known.safetensors", {name: np.ones((2, 2), np.float32)})
        assert json.loads(run("inspect", "known.safetensors", "--json").out)["architecture"] == known
        assert known in run("inspect", "known.safetensors").out


FAULTS = {
    "none.safetensors": lambda path: None,
    "short.safetensors": lambda path: path.write_bytes(b"\1\2\3"),
    "cut.safetensors": lambda path: path.write_bytes((path.parent / "a.safetensors").read_bytes()[:-4]),
    "junk.safetensors": lambda path: write(path, b"{not json"),
    "long.safetensors": lambda path: path.write_bytes(struct.pack("<Q", 2**60) + b"{}"),
    "lie.safetensors": lambda path: write(
        path, {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "kind.safetensors": lambda path: write(
        path, {"w": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "model.bin": lambda path: path.write_bytes(b"\x80\x04."),
    "junk.msgpack": lambda path: path.write_bytes(b"\xc1\xff"),
    "empty": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", FAULTS)
def test_broken_files_are_one_line_that_names_them_and_code_two(name, place, run):
    FAULTS[name](place / name)
    ended = run("inspect", name)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("geojax: ")
    assert name in ended.err
    assert ended.err.count("\n") == 1


def test_patterns_replace_whole_numbers_only():
    assert pattern("layers.10.w2.bias") == "layers.*.w2.bias"
    assert pattern("params/Dense_0/kernel[1]") == "params/Dense_*/kernel[1]"
    assert pattern("0/kernel") == "*/kernel"
    assert pattern("conv1.weight:scaling") == "conv1.weight:scaling"
    assert collapse(["a.0.w", "a.1.w", "b.2.w"]) == ["a.*.w", "b.2.w"]
    assert shared_stem(["a.b.cd", "a.b.ce"]) == "a.b."
    assert shared_stem(["x", "y"]) == ""
    assert shared_stem(["a.b"]) == ""
