"""Messages name the function, the argument, what it got, what it expected and how to mend it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core import checks


def test_shapes_binds_sizes():
    sizes = checks.shapes("f", c=(jnp.ones((2, 3)), "n m"), a=(jnp.ones(2), "n"), k=(jnp.ones((5, 4)), "_ 4"))
    assert sizes == {"n": 2, "m": 3}


@pytest.mark.parametrize(
    "value, words, message",
    [
        (
            np.ones(4),
            "n",
            r"f: a has shape \[4\]; expected \[n\] with n = 2 as in c\. Make axis 0 of a have size 2\.",
        ),
        (np.ones((7, 2)), "n", r"f: a has shape \[7, 2\], rank 2; expected \[n\], rank 1\. .*jax\.vmap"),
        (1.0, "n", r"f: a has shape \[\], rank 0; expected \[n\], rank 1\. Add the missing axis"),
        (
            np.ones((2, 5)),
            "n 4",
            r"f: a has shape \[2, 5\]; expected \[n, 4\]\. Make axis 1 of a have size 4\.",
        ),
    ],
)
def test_shapes_messages(value, words, message):
    with pytest.raises(ValueError, match=message):
        checks.shapes("f", c=(jnp.ones((2, 3)), "n m"), a=(value, words))


def test_shapes_work_on_tracers():
    jax.jit(lambda x: checks.shapes("f", x=(x, "n")) and x)(jnp.ones(3))


@pytest.mark.parametrize(
    "given, dtype",
    [
        ((np.float32(1), 2.0), jnp.float32),
        ((jnp.ones(2, jnp.float64), 1), jnp.float64),
        ((jnp.ones(2, jnp.float32), jnp.ones(2, jnp.float64)), jnp.float64),
        ((1, 2), jnp.float64),
        ((jnp.ones(2, jnp.int32), 0.5), jnp.float64),
        ((jnp.ones(2, jnp.bfloat16), 1.0), jnp.bfloat16),
    ],
)
def test_floats_agree_on_one_strong_dtype(given, dtype):
    one, two = checks.floats("f", x=given[0], y=given[1])
    assert one.dtype == two.dtype == dtype
    assert not one.weak_type
    assert not two.weak_type


def test_floats_refuses_what_is_not_real():
    with pytest.raises(TypeError, match=r"f: x is a list; expected an array of real numbers\. Convert it"):
        checks.floats("f", x=[1.0])
    with pytest.raises(
        TypeError, match=r"f: x has dtype complex128; expected real numbers\. Take the real part"
    ):
        checks.floats("f", x=1j)
    with pytest.raises(TypeError, match="f: x has dtype key<fry>; expected real numbers"):
        checks.floats("f", x=jax.random.key(0))


def test_count():
    assert checks.count("f", "max_steps", np.int64(3)) == 3
    with pytest.raises(TypeError, match=r"f: max_steps is 1\.5 \(float\); expected a Python integer"):
        checks.count("f", "max_steps", 1.5)
    with pytest.raises(TypeError, match="max_steps is True"):
        checks.count("f", "max_steps", True)
    with pytest.raises(TypeError, match=r"max_steps is a traced value.*static"):
        jax.jit(lambda n: checks.count("f", "max_steps", n))(3)
    with pytest.raises(ValueError, match="f: num is 0; expected at least 1"):
        checks.count("f", "num", 0, minimum=1)


def test_typed_key():
    checks.typed_key("f", jax.random.key(1))
    jax.vmap(lambda k: checks.typed_key("f", k) or jax.random.uniform(k))(
        jax.random.split(jax.random.key(0), 2)
    )
    with pytest.raises(TypeError, match=r"f: key is uint32\[2\]; expected a typed random key.*wrap_key_data"):
        checks.typed_key("f", jax.random.PRNGKey(0))
    with pytest.raises(TypeError, match="f: key is 0; expected a typed random key"):
        checks.typed_key("f", 0)
    with pytest.raises(ValueError, match=r"f: key has shape \[2\]; expected one key\. Use jax\.vmap"):
        checks.typed_key("f", jax.random.split(jax.random.key(0)))


def test_same_tree():
    a = {"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}}
    checks.same_tree("act", "params_b", a, "params_a", jax.tree.map(jnp.zeros_like, a))
    with pytest.raises(ValueError, match="act: params_b lacks 'dense/bias'; expected the leaves of params_a"):
        checks.same_tree("act", "params_b", {"dense": {"kernel": a["dense"]["kernel"]}}, "params_a", a)
    with pytest.raises(ValueError, match="params_b has 'extra' besides"):
        checks.same_tree("act", "params_b", {**a, "extra": 1.0}, "params_a", a)
    wider = {"dense": {"kernel": jnp.ones((2, 4)), "bias": jnp.ones(3)}}
    message = r"act: leaf 'dense/kernel' of params_b has shape \[2, 4\]; expected \[2, 3\] as in params_a"
    with pytest.raises(ValueError, match=message):
        checks.same_tree("act", "params_b", wider, "params_a", a)
    with pytest.raises(ValueError, match="structure"):
        checks.same_tree("act", "params_b", (1.0, 2.0), "params_a", [1.0, 2.0])
    half = jax.tree.map(lambda x: x.astype(jnp.float16), a)
    checks.same_tree("act", "params_b", half, "params_a", a)
    with pytest.raises(TypeError, match="leaf 'dense/bias' of params_b has dtype float16; expected float64"):
        checks.same_tree("act", "params_b", half, "params_a", a, dtypes=True)


def test_same_tree_lists_no_more_than_three():
    with pytest.raises(ValueError, match="lacks '0', '1', '2' and 7 more"):
        checks.same_tree("f", "x", [], "y", [1.0] * 10)


def test_what_is_not_a_function_is_named_with_the_call_to_write():
    checks.function("f", "loss", len, "Write f(loss, params).")
    with pytest.raises(
        TypeError, match=r"^f: loss is a dict; expected a function. Write f\(loss, params\)\.$"
    ):
        checks.function("f", "loss", {}, "Write f(loss, params).")
