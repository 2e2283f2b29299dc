"""Averages of several models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import average, interpolate


def draw(key, dtype=jnp.float64):
    return {
        "w": jax.random.normal(key, (3, 2), dtype),
        "b": jax.random.normal(jax.random.fold_in(key, 1), (2,), dtype),
    }


KEYS = jax.random.split(jax.random.key(0), 64)


def gap(x, y):
    return jax.tree.reduce(jnp.maximum, jax.tree.map(lambda a, b: jnp.abs(a - b).max(), x, y))


def test_law_the_average_of_equal_models_is_the_model():
    def change(key):
        model = draw(key)
        stack = jax.tree.map(lambda leaf: jnp.stack([leaf] * 5), model)
        return gap(average(stack, jax.random.uniform(key, (5,))), model)

    assert np.asarray(jax.jit(jax.vmap(change))(KEYS)).max() < 1e-14


def test_law_the_average_of_two_is_the_interpolation():
    def change(key):
        a, b = draw(key), draw(jax.random.fold_in(key, 2))
        t = jax.random.uniform(key)
        both = jax.tree.map(lambda x, y: jnp.stack([x, y]), a, b)
        return gap(average(both, jnp.stack([1 - t, t])), interpolate(a, b, t))

    assert np.asarray(jax.jit(jax.vmap(change))(KEYS)).max() < 1e-14


def test_matches_numpy_average():
    stack = jax.jit(jax.vmap(draw))(KEYS[:4])
    weights = np.array([1.0, 2.0, 0.0, 5.0])
    got = average(stack, weights)
    for name in stack:
        np.testing.assert_allclose(got[name], np.average(stack[name], axis=0, weights=weights), rtol=1e-13)


def test_the_unit_of_the_weights_does_not_matter():
    stack = jax.jit(jax.vmap(draw))(KEYS[:4])
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    assert gap(average(stack, weights), average(stack, 7 * weights)) < 1e-14


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_dtypes_are_kept_and_integers_are_those_of_the_first_model(dtype):
    stack = {"w": jnp.ones((2, 3), dtype), "steps": jnp.array([4, 9]), "f": jnp.tanh}
    got = average(stack, jnp.array([0.5, 0.5]))
    assert got["w"].dtype == dtype
    assert got["steps"] == 4
    assert got["f"] is jnp.tanh


def test_the_gradient_in_the_weights_has_its_closed_form():
    x = jax.random.normal(jax.random.key(3), (3,))
    w = jnp.array([0.2, 0.5, 0.3])
    got = jax.grad(lambda w: average({"x": x}, w)["x"])(w)
    np.testing.assert_allclose(got, (x - w @ x) / w.sum(), rtol=1e-12)


def test_a_stack_of_another_size_than_the_weights_is_refused():
    with pytest.raises(ValueError, match=r"weights has shape \[2\]; expected \[3\]"):
        average({"w": jnp.zeros((3, 2))}, jnp.ones(2))
    with pytest.raises(ValueError, match="weights has shape"):
        average({"w": jnp.zeros((3, 2))}, jnp.ones((3, 1)))
    with pytest.raises(ValueError, match=r"no common leading axis of length >= 1 \('w' \[\]\)"):
        average({"w": jnp.zeros(())}, jnp.ones(3))
