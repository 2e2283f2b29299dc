"""Headers that lie: each lie is named, and no mutation of a header gives a wrong tensor."""

import copy
import json
import pickle

import numpy as np
import pytest
import safetensors

from geojax.io import CheckpointError, load_safetensors, open_safetensors, save_safetensors
from geojax.io.formats.header import DTYPES, MAX_HEADER
from tests.io.files import put

DATA = np.arange(6, dtype=np.float32).tobytes()


def item(dtype="F32", shape=(6,), offsets=(0, 24)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


LIES = {
    "dtype unknown": ({"a": item("F31")}, "dtype 'F31' is unknown"),
    "dtype narrower than a byte": ({"a": item("F4", (48,))}, "dtype 'F4' is unknown"),
    "dtype no text": ({"a": item(["F32"])}, "is unknown"),
    "negative length": ({"a": item(shape=(-2, -3))}, "integers of at least 0"),
    "length no integer": ({"a": item(shape=(6.0,))}, "integers of at least 0"),
    "length true": ({"a": item(shape=(6, True))}, "integers of at least 0"),
    "shape no list": ({"a": {**item(), "shape": 6}}, "integers of at least 0"),
    "too many axes": ({"a": item(shape=(1,) * 65)}, "at most 64"),
    "shape too small": ({"a": item(shape=(5,))}, "takes 20 bytes, and these are 24"),
    "shape too large": ({"a": item(shape=(7,))}, "takes 28 bytes, and these are 24"),
    "product overflows to the size": ({"a": item(shape=(2**62 + 6,))}, "larger than any array"),
    "huge beside nothing": ({"a": item(), "b": item(shape=(2**62, 0), offsets=(24, 24))}, "larger than any"),
    "integer of a thousand digits": ({"a": item(shape=(10**1000,))}, "integers of at least 0"),
    "integer of five thousand digits": (
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,24]}}',
        "not JSON",
    ),
    "offsets backwards": ({"a": item(offsets=(24, 0))}, "in order"),
    "offsets negative": ({"a": item(offsets=(-24, 0))}, "at least 0"),
    "three offsets": ({"a": item(offsets=(0, 24, 48))}, "two integers"),
    "offset past the end": (
        {"a": item(shape=(7,), offsets=(0, 28))},
        "bytes [0-9]+ to [0-9]+: the file ends",
    ),
    "overlap": ({"a": item(shape=(4,), offsets=(0, 16)), "b": item(shape=(4,), offsets=(8, 24))}, "overlap"),
    "the same bytes twice": ({"a": item(), "b": item()}, "overlap with those of 'a'"),
    "gap": (
        {"a": item(shape=(2,), offsets=(0, 8)), "b": item(shape=(2,), offsets=(16, 24))},
        "leave 8 bytes",
    ),
    "gap in front": ({"a": item(shape=(4,), offsets=(8, 24))}, "leave 8 bytes after those of the header"),
    "bytes left over": ({"a": item(shape=(4,), offsets=(0, 16))}, "no tensor has the last 8 bytes"),
    "no tensor at all": ({}, "no tensor has the last 24 bytes"),
    "a key too many": ({"a": {**item(), "x": 1}}, "expected dtype, shape and data_offsets"),
    "a key too few": ({"a": {"dtype": "F32", "shape": [6]}}, "expected dtype, shape and data_offsets"),
    "item no object": ({"a": [1]}, "a list; expected"),
    "header no object": ([1], "JSON list"),
    "metadata no object": ({"__metadata__": 1, "a": item()}, "__metadata__"),
    "metadata no text": ({"__metadata__": {"a": 1}, "a": item()}, "__metadata__"),
    "name twice": (
        b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"a":{"dtype":"I32","shape":[6],"data_offsets":[0,24]}}',
        "the name 'a' is there twice",
    ),
    "dtype twice": (
        b'{"a":{"dtype":"I32","dtype":"F32","shape":[6],"data_offsets":[0,24]}}',
        "the name 'dtype' is there twice",
    ),
    "name no text": (b'{"\\ud800":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}', "not text"),
    "not UTF-8": (b'{"\xff":{}}', "not JSON"),
    "UTF-16": ('{"a":{}}'.encode("utf-16"), "not JSON"),
    "no JSON": (b"\x80\x04\x95pickle", "not JSON"),
    "NaN": (b'{"a":NaN}', "NaN is not a JSON number"),
    "two objects": (b"{}{}", "not JSON"),
    "very deep": (b"[" * 200_000, "not JSON"),
    "empty": (b"", "not JSON"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused(tmp_path, lie):
    header, words = LIES[lie]
    path = put(tmp_path / "f", header, DATA)
    with pytest.raises(CheckpointError, match=words) as caught:
        open_safetensors(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    "length, words",
    [(2**64 - 1, "at most"), (MAX_HEADER + 1, "at most"), (10**6, "cut off"), (0, "not JSON")],
)
def test_a_length_that_lies_is_refused(tmp_path, length, words):
    with pytest.raises(CheckpointError, match=words):
        open_safetensors(put(tmp_path / "f", {"a": item()}, DATA, length=length))


def test_every_truncation_is_refused(tmp_path):
    save_safetensors(tmp_path / "f", {"a": np.arange(3.0), "b": np.ones((2, 2), np.float16)})
    whole = (tmp_path / "f").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            open_safetensors(tmp_path / "cut")
    (tmp_path / "cut").write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="last 1 bytes"):
        open_safetensors(tmp_path / "cut")


def test_the_error_says_file_tensor_and_bytes(tmp_path):
    path = put(tmp_path / "f", {"a": item(), "layer.b": item(shape=(1,), offsets=(24, 28))}, DATA)
    with pytest.raises(CheckpointError) as caught:
        open_safetensors(path)
    error = caught.value
    start = len(path.read_bytes())
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.extent) == (str(error), error.extent)
    assert (error.path, error.tensor, error.extent) == (str(path), "layer.b", (start, start + 4))
    assert str(path) in str(error) and "layer.b" in str(error) and f"{start} to {start + 4}" in str(error)


def test_a_boolean_that_is_none_is_refused_when_read(tmp_path):
    path = put(tmp_path / "f", {"a": item("BOOL", (4,), (0, 4))}, b"\0\1\2\0")
    with open_safetensors(path) as checkpoint, pytest.raises(CheckpointError, match="neither 0 nor 1"):
        checkpoint["a"]
    with open_safetensors(path) as checkpoint, pytest.raises(CheckpointError, match="neither 0 nor 1"):
        checkpoint.read("a")


def test_padding_spaces_and_no_metadata_are_no_lies(tmp_path):
    with open_safetensors(put(tmp_path / "f", {"__metadata__": None, "a": item()}, DATA)) as checkpoint:
        assert checkpoint.metadata == {}
    path = put(tmp_path / "f", b"  " + json.dumps({"a": item()}).encode() + b" \n\t", DATA)
    assert load_safetensors(path)["a"].tolist() == [0, 1, 2, 3, 4, 5]


FUZZ_BASE = {
    "__metadata__": {"format": "pt", "step": "3"},
    "a": item("F32", (2, 3), (0, 24)),
    "b": item("BF16", (4,), (24, 32)),
    "c": item("I64", (2,), (32, 48)),
    "d": item("U8", (0, 5), (48, 48)),
    "e": item("F16", (), (48, 50)),
}
FUZZ_DATA = bytes(range(50))
NUMBERS = [
    0,
    1,
    2,
    3,
    4,
    6,
    7,
    8,
    24,
    32,
    48,
    50,
    -1,
    2**31,
    2**32,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    1.0,
    1e300,
]
WORDS = [*DTYPES, "F4", "f32", "", "C128", None, True, [], {}, "x" * 50]


def mutate_header(rng, header):
    """Changes one thing that the header says."""
    name = rng.choice([name for name in header if name != "__metadata__"])
    entry = header[name]
    what = rng.integers(9)
    number = NUMBERS[rng.integers(len(NUMBERS))]
    if what == 0:
        entry["dtype"] = WORDS[rng.integers(len(WORDS))]
    elif what == 1 and entry["shape"]:
        entry["shape"][rng.integers(len(entry["shape"]))] = number
    elif what == 2:
        entry["data_offsets"][rng.integers(2)] = number
    elif what == 3:
        entry["shape"].insert(rng.integers(len(entry["shape"]) + 1), number)
    elif what == 4:
        other = rng.choice([other for other in header if other != "__metadata__"])
        entry["data_offsets"], header[other]["data_offsets"] = (
            header[other]["data_offsets"],
            entry["data_offsets"],
        )
    elif what == 5:
        entry["shape"] = [int(x) for x in rng.permutation(entry["shape"])]
    elif what == 6:
        header[str(rng.choice([*"abcde", "new"]))] = header.pop(name)
    elif what == 7:
        del entry[rng.choice(list(entry))]
    else:
        header["__metadata__"] = [{}, {"a": 1}, {"a": "b"}, None, [], "x"][rng.integers(6)]
    return json.dumps(header).encode()


def mutate_bytes(rng, text):
    """Changes bytes of the header, whatever they are."""
    text = bytearray(text)
    for _ in range(rng.integers(1, 4)):
        place = rng.integers(len(text))
        what = rng.integers(4)
        if what == 0:
            text[place] = rng.integers(256)
        elif what == 1:
            text[place] ^= 1 << rng.integers(8)
        elif what == 2:
            del text[place : place + rng.integers(1, 9)]
        else:
            text[place:place] = text[place : place + rng.integers(1, 60)]
    return bytes(text)


def by_library(path):
    """Tensors as the library reads them, None if it refuses the file."""
    try:
        found = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError:
        return None
    return {name: (entry["dtype"], tuple(entry["shape"]), bytes(entry["data"])) for name, entry in found}


def test_fuzz_500_headers_give_an_error_or_the_right_tensors(tmp_path):
    rng = np.random.default_rng(2026)
    path = tmp_path / "f"
    names = {dtype: name for name, dtype in DTYPES.items()}
    accepted = refused = 0
    for trial in range(500):
        header = copy.deepcopy(FUZZ_BASE)
        text = mutate_header(rng, header) if trial % 3 else mutate_bytes(rng, json.dumps(header).encode())
        length = None if trial % 10 else int(rng.integers(0, 2 * len(text)))
        put(path, text, FUZZ_DATA, length)
        theirs = by_library(path)
        try:
            with open_safetensors(path) as checkpoint:
                ours = {name: (names[x.dtype], x.shape, x.tobytes()) for name, x in checkpoint.items()}
        except CheckpointError:
            refused += 1
            continue
        accepted += 1
        assert ours == theirs, text
    assert accepted > 50 and refused > 250, (accepted, refused)
