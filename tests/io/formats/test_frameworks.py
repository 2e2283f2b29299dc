"""Orbax folders and flax files: round trips, the frameworks' own readers and writers, and what is broken."""

import shutil

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx, serialization
from flax.training.train_state import TrainState

from geojax.io import CheckpointError, flatten, load_flax, load_orbax, save_flax, save_orbax

SHARDING = jax.sharding.NamedSharding(
    jax.make_mesh((4,), ("x",), axis_types=(jax.sharding.AxisType.Auto,)), jax.sharding.PartitionSpec("x")
)


class Linear(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(2, 3, rngs=rngs)])


TREES = {
    "linen": lambda: nn.Dense(3).init(jax.random.key(0), jnp.ones((1, 2))),
    "nnx": lambda: nnx.state(Linear(nnx.Rngs(0)), nnx.Param),
    "lists and dtypes": lambda: {
        "a": [jnp.arange(3, dtype=jnp.bfloat16), {"b": jnp.arange(2, dtype=jnp.int8)}],
        "d": jnp.ones((2, 2), jnp.float64),
        "s": jnp.float16(3),
    },
}


def same(x, y):
    assert jax.tree.structure(x) == jax.tree.structure(y)
    for p, q in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True):
        assert isinstance(p, jax.Array)
        assert p.dtype == q.dtype
        assert np.array_equal(p, q)


@pytest.mark.parametrize("kind", TREES)
@pytest.mark.parametrize("save, load", [(save_orbax, load_orbax), (save_flax, load_flax)])
def test_law_what_was_saved_is_loaded(tmp_path, save, load, kind):
    params = TREES[kind]()
    save(tmp_path / "f", params)
    same(load(tmp_path / "f", params), params)
    same(load(tmp_path / "f", jax.eval_shape(lambda: params)), params)
    bare = flatten(load(tmp_path / "f"))
    assert sorted(map(str, (x.shape for x in bare.values()))) == sorted(
        map(str, (x.shape for x in flatten(params).values()))
    )


def test_equinox_modules_go_to_orbax(tmp_path):
    model = eqx.nn.Linear(2, 3, key=jax.random.key(0))
    save_orbax(tmp_path / "f", model)
    same(load_orbax(tmp_path / "f", model), model)
    with pytest.raises(TypeError, match="use save_safetensors"):
        save_flax(tmp_path / "g", {"a": model})


def test_orbax_and_flax_themselves_agree(tmp_path):
    params = {"a": jnp.arange(4.0), "b": {"c": jnp.ones((2, 2), jnp.bfloat16)}}
    save_flax(tmp_path / "ours", params)
    same(
        jax.tree.map(jnp.asarray, serialization.from_bytes(params, (tmp_path / "ours").read_bytes())), params
    )
    (tmp_path / "theirs").write_bytes(serialization.to_bytes(params))
    same(load_flax(tmp_path / "theirs"), params)
    save_orbax(tmp_path / "our", params)
    with ocp.StandardCheckpointer() as checkpointer:
        same(checkpointer.restore(tmp_path / "our", params), params)
        checkpointer.save(tmp_path / "their", params)
        checkpointer.wait_until_finished()
    same(load_orbax(tmp_path / "their"), params)


def test_a_train_state_keeps_its_kind(tmp_path):
    import optax

    params = {"w": jnp.ones(3)}
    state = TrainState.create(apply_fn=None, params=params, tx=optax.adam(1e-3)).replace(step=jnp.asarray(5))
    save_flax(tmp_path / "f", state)
    like = state.replace(step=jnp.asarray(0), params={"w": jnp.zeros(3)})
    back = load_flax(tmp_path / "f", like)
    assert isinstance(back, TrainState)
    assert int(back.step) == 5
    assert back.params["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("save, load", [(save_orbax, load_orbax), (save_flax, load_flax)])
def test_sharded_arrays_go_where_like_has_them(tmp_path, save, load):
    params = {"w": jax.device_put(jnp.arange(16.0).reshape(8, 2), SHARDING)}
    save(tmp_path / "f", params)
    back = load(tmp_path / "f", params)["w"]
    assert back.sharding == SHARDING
    assert np.array_equal(back, params["w"])
    assert len(load(tmp_path / "f")["w"].devices()) == 1


@pytest.mark.parametrize("save, load", [(save_orbax, load_orbax), (save_flax, load_flax)])
def test_one_message_names_all_that_does_not_fit(tmp_path, save, load):
    save(tmp_path / "f", {"a": jnp.ones(2), "b": jnp.ones(3), "c": jnp.ones(2, jnp.float32)})
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path / "f", {"a": jnp.ones(3), "c": jnp.ones(2), "d": jnp.ones(1)})
    for words in (
        "missing: 'd'",
        "unexpected: 'b'",
        "'a': got float64[2], expected float64[3]",
        "'c': got float32[2]",
    ):
        assert words in str(caught.value)


def test_a_broken_orbax_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_orbax(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no orbax checkpoint"):
        load_orbax(tmp_path / "empty")
    save_orbax(tmp_path / "f", {"w": jnp.arange(1000.0)})
    with pytest.raises(CheckpointError, match="the path exists"):
        save_orbax(tmp_path / "f", {"w": jnp.ones(3)})
    for number, part in enumerate(("_METADATA", "manifest.ocdbt", "d")):
        folder = shutil.copytree(tmp_path / "f", tmp_path / f"broken{number}")
        path = folder / part
        shutil.rmtree(path) if path.is_dir() else path.write_bytes(path.read_bytes()[:10])
        with pytest.raises(CheckpointError):
            load_orbax(folder)


def test_a_broken_flax_file_is_refused(tmp_path):
    save_flax(tmp_path / "f", {"w": jnp.arange(10.0), "b": {"c": jnp.ones(2)}})
    whole = (tmp_path / "f").read_bytes()
    for data in (
        *(whole[:size] for size in range(0, len(whole), 7)),
        b"\x80\x04\x95pickle",
        whole + b"\0",
        b"\x01",
    ):
        (tmp_path / "f").write_bytes(data)
        with pytest.raises(CheckpointError):
            load_flax(tmp_path / "f")
    (tmp_path / "f").write_bytes(whole.replace(b"float64", b"object_"))
    with pytest.raises(CheckpointError):
        load_flax(tmp_path / "f")
