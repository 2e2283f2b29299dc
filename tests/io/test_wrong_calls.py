"""Calls that a newcomer gets wrong, and leaves that are no arrays: the message says what to write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import io

TREE = {"layer": {"act": jnp.tanh, "name": "relu", "none": None, "rate": 0.5, "w": jnp.ones(3)}}
KEYED = {"layer": {"seed": jax.random.key(0), "w": jnp.ones(3)}}


def test_flatten_leaves_out_what_is_no_array_and_unflatten_keeps_it():
    named = io.flatten(TREE)
    assert list(named) == ["layer/w"]
    back = io.unflatten({"layer/w": np.full(3, 2.0)}, TREE)
    assert back["layer"]["act"] is jnp.tanh
    assert back["layer"]["name"] == "relu"
    assert back["layer"]["rate"] == 0.5
    assert back["layer"]["w"].tolist() == [2.0, 2.0, 2.0]


def a_run(folder):
    """A run of orbax's CheckpointManager with two steps."""
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(folder / "run") as manager:
        for step in (9, 10):
            manager.save(step, args=ocp.args.StandardSave({"w": jnp.ones(3)}))
        manager.wait_until_finished()
    return folder / "run"


WRONG = {
    "random keys": (lambda path: io.flatten(KEYED), TypeError, "leaf 'layer/seed' of params holds key<fry>"),
    "random keys, in flax": (lambda path: io.save_flax(path / "m", KEYED), TypeError, "leaf 'layer/seed'"),
    "random keys, in orbax": (lambda path: io.save_orbax(path / "m", KEYED), TypeError, "leaf 'layer/seed'"),
    "a function, in flax": (
        lambda path: io.save_flax(path / "m", TREE),
        TypeError,
        "save_flax: leaf 'layer/act' of params is the function tanh; expected an array",
    ),
    "a function, in orbax": (
        lambda path: io.save_orbax(path / "m", TREE),
        TypeError,
        "save_orbax: leaf 'layer/act' of params is the function tanh; expected an array",
    ),
    "a tree in safetensors": (
        lambda path: io.save_safetensors(path / "m", {"layer": {"w": jnp.ones(3)}}),
        TypeError,
        r"save_safetensors: 'layer' is a dict; expected an array\. Use geojax\.io\.flatten",
    ),
    "random keys in safetensors": (
        lambda path: io.save_safetensors(path / "m", {"seed": jax.random.key(0)}),
        TypeError,
        r"save_safetensors: 'seed' holds key<fry>; expected numbers\. .*jax\.random\.key_data",
    ),
    "an old key": (
        lambda path: io.stream_merge(lambda x, key: x, [path], path, key=jax.random.PRNGKey(0)),
        TypeError,
        r"stream_merge: key is uint32\[2\]; expected a typed random key",
    ),
    "one path for several": (
        lambda path: io.stream_merge(lambda x: x, str(path), path / "out"),
        TypeError,
        r"stream_merge: paths is '.*'; expected a list of files\. Pass \[path\]",
    ),
    "no path": (lambda path: io.stream_merge(lambda: 0, [], path), ValueError, "paths is empty"),
    "the folder of a run": (
        lambda path: io.load_orbax(a_run(path)),
        io.CheckpointError,
        r"holds no orbax checkpoint of one tree\. Give .*run/10/default\.",
    ),
    "the folder of a step": (
        lambda path: io.load_orbax(a_run(path) / "9"),
        io.CheckpointError,
        r"holds no orbax checkpoint of one tree\. Give .*run/9/default\.",
    ),
    "a folder of something else": (
        lambda path: io.load_orbax(path),
        io.CheckpointError,
        r"holds no orbax checkpoint of one tree\. Give the one that orbax wrote\.",
    ),
    "no folder": (lambda path: io.load_orbax(path / "none"), FileNotFoundError, "is no folder"),
    "a pickle": (
        lambda path: io.open_safetensors(path / "model.pt"),
        io.CheckpointError,
        r"holds a pickle.*Convert it",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_to_write(name, tmp_path):
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        call(tmp_path)
