"""Names of tensors: the paths of a tree's leaves, and back."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from geojax._program.arguments import array_leaves
from geojax.io import flatten, open_safetensors, save_safetensors, unflatten


class Linear(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(2, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)])


def linen_variables():
    return nn.Dense(3).init(jax.random.key(0), jnp.ones((1, 2)))


TREES = {
    "linen": linen_variables,
    "nnx": lambda: nnx.state(Linear(nnx.Rngs(0)), nnx.Param),
    "equinox": lambda: eqx.nn.MLP(2, 2, 3, 1, key=jax.random.key(0)),
    "lists": lambda: [(jnp.ones(2), None), {"a": [np.zeros(3, np.int8)], "b": 3.0, "f": jnp.tanh}],
    "flat": lambda: {"bert.layer.0.weight": jnp.ones((2, 3)), "bert.layer.0.bias": jnp.ones(2, jnp.bfloat16)},
    "one array": lambda: jnp.arange(3),
}


@pytest.mark.parametrize("kind", TREES)
def test_law_unflatten_undoes_flatten_through_a_file(tmp_path, kind):
    params = TREES[kind]()
    named = flatten(params)
    assert list(named) == [path for path, _ in array_leaves(params)]
    save_safetensors(tmp_path / "f", named)
    empty = jax.tree.map(lambda leaf: leaf * 0 if hasattr(leaf, "dtype") else leaf, params)
    with open_safetensors(tmp_path / "f") as checkpoint:
        back = unflatten(checkpoint, empty)
    assert jax.tree.structure(back) == jax.tree.structure(params)
    for x, y in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        assert type(x) is type(y)
        assert np.array_equal(x, y) if hasattr(x, "dtype") else x == y


def test_law_a_flat_dict_is_its_own_flattening():
    tensors = TREES["flat"]()
    for separator in "/.":
        named = flatten(tensors, separator=separator)
        assert named.keys() == tensors.keys()
        assert all(named[name] is tensors[name] for name in tensors)


def test_names_do_not_depend_on_the_order_of_insertion():
    x, y = jnp.ones(1), jnp.ones(2)
    assert list(flatten({"b": x, "a": y})) == list(flatten({"a": y, "b": x}))


@pytest.mark.parametrize("separator", ["/", "."])
def test_two_leaves_of_one_name_are_an_error(separator):
    params = {"a": {"b": jnp.ones(1)}, f"a{separator}b": jnp.ones(1)}
    with pytest.raises(ValueError, match="two leaves"):
        flatten(params, separator=separator)
    flatten(params, separator="|")


def test_random_keys_are_named():
    with pytest.raises(TypeError, match=r"'dropout/key'.*key_data"):
        flatten({"dropout": {"key": jax.random.key(0)}})


def test_one_message_names_all_that_does_not_fit():
    like = {"a": jnp.ones((2, 3)), "b": {"c": jnp.ones(2), "d": jnp.ones(4)}, "e": jnp.ones(1)}
    tensors = flatten(like) | {"a": jnp.ones((3, 2)), "b/d": jnp.ones(4, jnp.int32), "new": jnp.ones(1)}
    del tensors["b/c"]
    with pytest.raises(ValueError) as caught:
        unflatten(tensors, like)
    for words in (
        "missing: 'b/c' float64[2]",
        "unexpected: 'new' float64[1]",
        "'a': got float64[3, 2], expected float64[2, 3]",
        "'b/d': got int32[4], expected float64[4]",
    ):
        assert words in str(caught.value)


def test_a_long_list_of_problems_is_cut():
    with pytest.raises(ValueError, match="and 92 more"):
        unflatten({}, {str(i): jnp.ones(1) for i in range(100)})


def test_shapes_alone_will_do_and_arrays_are_jax_s(tmp_path):
    like = jax.eval_shape(linen_variables)
    tensors = {name: np.ones(leaf.shape, leaf.dtype) for name, leaf in flatten(like).items()}
    back = unflatten(tensors, like)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(back))


def test_arrays_go_where_those_they_replace_are():
    mesh = jax.make_mesh((4,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    like = {"w": jax.device_put(jnp.zeros((8, 2)), sharding)}
    back = unflatten({"w": np.arange(16.0).reshape(8, 2)}, like)
    assert back["w"].sharding == sharding
    assert np.array_equal(back["w"], np.arange(16.0).reshape(8, 2))


def test_a_view_of_a_file_is_copied(tmp_path):
    save_safetensors(tmp_path / "f", {"w": np.arange(16.0)})
    with open_safetensors(tmp_path / "f") as checkpoint:
        back = unflatten(checkpoint, {"w": jnp.zeros(16)})
        with open(tmp_path / "f", "r+b") as file:
            file.seek(-128, 2)
            file.write(bytes(128))
    assert np.array_equal(back["w"], np.arange(16.0))
