"""Parameters that are no arrays of numbers are refused by the name of the tensor."""

import jax
import jax.numpy as jnp
import pytest

from geojax import architectures

ARCH = architectures.gpt2({"vocab_size": 9, "n_positions": 5, "n_embd": 6, "n_layer": 1, "n_head": 2})
PARAMS = {name: jnp.zeros(shape.shape) for name, shape in ARCH.shapes().items()}


@pytest.mark.parametrize(
    "leaf, got",
    [
        (None, "None"),
        (0.5, "0.5"),
        ("text", "'text'"),
        (jnp.tanh, "the function tanh"),
        (jax.random.split(jax.random.key(0), 6), r"key<fry>\[6\]"),
        (jnp.zeros(5), r"float64\[5\]"),
    ],
    ids=["none", "float", "text", "function", "key", "size"],
)
def test_a_leaf_that_does_not_fit_is_named(leaf, got):
    with pytest.raises(ValueError, match=rf"ln_f\.bias is {got}, expected an array of shape \(6,\)"):
        jax.eval_shape(lambda tokens: ARCH.apply(PARAMS | {"ln_f.bias": leaf}, tokens), *ARCH.inputs())


def test_select_refuses_the_same():
    with pytest.raises(ValueError, match=r"ln_f\.bias is None, expected an array"):
        ARCH.select(PARAMS | {"ln_f.bias": None})


def test_an_old_key_is_refused():
    with pytest.raises(
        TypeError, match=r"Architecture\.init: key is uint32\[2\]; expected a typed random key"
    ):
        ARCH.init(jax.random.PRNGKey(0))
    with pytest.raises(TypeError, match=r"Architecture\.inputs: key is 3; expected a typed random key"):
        ARCH.inputs(3)


def test_a_config_that_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match="from_config: config is 7; expected"):
        architectures.from_config(7)
    with pytest.raises(TypeError, match="gpt2 config is the function tanh; expected the fields"):
        architectures.gpt2(jnp.tanh)
