"""Named leaves and the vector-space operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core import tree
from geojax._core.struct import struct


@struct
class Pair:
    left: jax.Array
    right: jax.Array


def test_names():
    assert list(tree.named_leaves({"x": [1, (2, 3)], "y": Pair(4, None)})) == [
        "x/0",
        "x/1/0",
        "x/1/1",
        "y/left",
    ]
    assert tree.named_leaves(7) == {"": 7}
    assert list(tree.named_leaves({"x": 1, "y": {"x": 2}}).values()) == jax.tree.leaves(
        {"x": 1, "y": {"x": 2}}
    )


def test_ambiguous_names_are_refused():
    with pytest.raises(ValueError, match="two leaves have the name 'a/b'"):
        tree.named_leaves({"a": {"b": 1}, "a/b": 2})


def test_map_named():
    got = tree.map_named(lambda name, x, y: f"{name}={x + y}", {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    assert got == {"a": "a=11", "b": ["b/0=22"]}


def test_dot_and_squared_norm():
    x = {"a": jnp.arange(3.0), "b": jnp.ones((2, 2))}
    y = {"a": jnp.ones(3), "b": jnp.full((2, 2), 0.5)}
    assert tree.dot(x, y) == 5
    assert tree.squared_norm(x) == 9
    assert tree.dot({}, {}) == 0
    assert tree.dot({"a": jnp.ones(2, jnp.float32)}, {"a": jnp.ones(2, jnp.float32)}).dtype == jnp.float32
    assert tree.squared_norm(jnp.array([1j, 2.0])) == 5


def test_stack_and_unstack_are_inverse():
    trees = [{"a": jnp.full(2, i), "b": (jnp.float32(i),)} for i in range(3)]
    stacked = tree.stack(trees)
    assert stacked["a"].shape == (3, 2)
    for got, want in zip(tree.unstack(stacked), trees, strict=True):
        jax.tree.map(np.testing.assert_array_equal, got, want)
    with pytest.raises(ValueError, match="stack: trees is empty"):
        tree.stack([])
    with pytest.raises(ValueError, match="unstack: leaves have leading axes"):
        tree.unstack({"a": jnp.ones(2), "b": jnp.ones(3)})
    with pytest.raises(ValueError, match="unstack: leaves have leading axes"):
        tree.unstack({"a": jnp.ones(())})
