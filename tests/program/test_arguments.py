"""Which leaves are arrays, and functions of the arrays alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core.tree import is_key, is_numeric
from geojax._program.arguments import array_leaves, flatten


@pytest.mark.parametrize(
    "leaf",
    [
        np.ones(2),
        jnp.ones((), jnp.bfloat16),
        np.float32(1),
        np.bool_(True),
        jax.ShapeDtypeStruct((2,), jnp.int8),
    ],
    ids=["numpy", "bfloat16", "scalar", "bool", "shape"],
)
def test_numbers_are_arrays(leaf):
    assert is_numeric(leaf)
    assert not is_key(leaf)


@pytest.mark.parametrize("leaf", [1.0, 2, "name", jnp.tanh, np.ndarray, np.array("text"), object()], ids=lambda leaf: type(leaf).__name__)
def test_other_leaves_are_no_arrays(leaf):
    assert not is_numeric(leaf)
    assert not is_key(leaf)


def test_random_keys_are_keys(key):
    assert is_key(key)
    assert is_key(jax.random.split(key, 3))
    assert not is_numeric(key)


def test_paths_are_written_with_slashes(key):
    tree = {"layers": [{"w": np.ones(2)}, None], "act": jnp.tanh, "rng": key}
    assert [path for path, _ in array_leaves(tree)] == ["layers/0/w"]


def scaled(params, x):
    noise = jax.random.normal(params["rng"], ())
    return params["act"](x @ params["w"]) * params["gate"] + noise * params["count"]


def test_law_the_flat_function_is_the_function(key):
    params = {"w": jnp.eye(2), "act": jnp.tanh, "gate": 0.5, "count": 3, "rng": key}
    x = jnp.ones((4, 2))
    function, weights, arrays = flatten(scaled, params, (x,))
    assert len(weights) == 1
    assert len(arrays) == 3, "the gate and the key come with the inputs"
    np.testing.assert_allclose(function(weights, arrays)[0], scaled(params, x))


def test_a_float_that_the_function_reads_as_a_number_is_a_setting():
    def branching(params, x):
        return x @ params["w"] if params["rate"] > 0 else x

    params = {"w": jnp.eye(2), "rate": 0.5}
    function, weights, arrays = flatten(branching, params, (jnp.ones((1, 2)),))
    assert len(arrays) == 1
    assert jax.eval_shape(functools.partial(function, weights), arrays)[0].shape == (1, 2)
