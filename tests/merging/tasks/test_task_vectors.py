"""Merging by task vectors against numpy, and what is known of each rule."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import average, dare, task_arithmetic, ties

K = 3
WEIGHTS = jnp.array([0.5, 1.0, 2.0])


def model(key):
    k1, k2 = jax.random.split(key)
    return {"b": jax.random.normal(k1, (4,)), "w": jax.random.normal(k2, (3, 4)), "steps": jnp.array(7)}


@functools.partial(jax.jit, static_argnums=0)
def models(seed=0):
    base, *tuned = (model(k) for k in jax.random.split(jax.random.key(seed), K + 1))
    return base, jax.tree.map(lambda *leaves: jnp.stack(leaves), *tuned)


def gap(x, y):
    leaves = zip(jax.tree.leaves(x), jax.tree.leaves(y))
    return max(float(np.max(np.abs(np.asarray(a) - np.asarray(b)))) for a, b in leaves)


merged_by_ties = jax.jit(ties, static_argnames="density")


def test_task_arithmetic_matches_numpy_and_forgets():
    base, stack = models()
    got = task_arithmetic(base, stack, WEIGHTS)
    for name in ("b", "w"):
        vectors = np.asarray(stack[name]) - np.asarray(base[name])
        want = np.asarray(base[name]) + np.tensordot(np.asarray(WEIGHTS), vectors, 1)
        np.testing.assert_allclose(got[name], want, rtol=1e-12)
    assert got["steps"] == 7
    one = jax.tree.map(lambda leaf: leaf[:1], stack)
    learnt = task_arithmetic(base, one, jnp.ones(1))
    assert gap(learnt, jax.tree.map(lambda leaf: leaf[0], one)) < 1e-14
    assert gap(task_arithmetic(base, stack, WEIGHTS / jnp.sum(WEIGHTS)), average(stack, WEIGHTS)) < 1e-13


def ties_by_numpy(base, stack, weights, density):
    found = {}
    for name in ("b", "w"):
        vectors = np.asarray(stack[name]) - np.asarray(base[name])
        kept = np.zeros_like(vectors)
        for i, vector in enumerate(vectors):
            count = int(np.ceil(density * vector.size))
            places = np.argsort(-np.abs(vector).ravel())[:count]
            kept[i].ravel()[places] = vector.ravel()[places]
        merged = np.zeros_like(vectors[0])
        for place in np.ndindex(merged.shape):
            values = kept[(slice(None), *place)]
            sign = np.sign(np.sum(weights * values))
            agree = (np.sign(values) == sign) & (sign != 0)
            if agree.any():
                merged[place] = np.average(values[agree], weights=weights[agree])
        found[name] = np.asarray(base[name]) + merged
    return found


@pytest.mark.parametrize("density", [0.2, 0.5, 1.0])
def test_ties_matches_a_loop_over_entries(density):
    for seed in range(3):
        base, stack = models(seed)
        got = merged_by_ties(base, stack, WEIGHTS, density=density)
        want = ties_by_numpy(base, stack, np.asarray(WEIGHTS), density)
        for name in want:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("density", [0.2, 0.31, 1.0])
def test_ties_keeps_as_many_as_the_density_says_where_magnitudes_are_equal(density):
    """A threshold keeps all that tie with it: of signs of one size, density 0.2 kept everything."""
    tuned = np.where(np.random.default_rng(0).random(100) < 0.5, -0.01, 0.01)
    merged = np.asarray(merged_by_ties(np.zeros(100), tuned[None], density=density))
    count = round(100 * density)
    np.testing.assert_array_equal(merged[:count], tuned[:count])
    np.testing.assert_array_equal(merged[count:], 0)
    tuned[-1] = np.nan
    assert np.isnan(merged_by_ties(np.zeros(100), tuned[None], density=density)[-1])


def test_ties_of_equal_models_is_the_model():
    base, stack = jax.tree.map(np.asarray, models())
    same = jax.tree.map(lambda leaf: np.stack([leaf[0]] * 4), stack)
    got = merged_by_ties(base, same, np.ones(4), density=1.0)
    assert gap(got, jax.tree.map(lambda leaf: leaf[0], stack)) < 1e-14


def test_dare_is_task_arithmetic_on_average_and_drops_what_it_says():
    base, stack = models()
    keys = jax.random.split(jax.random.key(1), 4000)
    drawn = jax.jit(jax.vmap(lambda key: dare(base, stack, WEIGHTS, density=0.3, key=key)))(keys)
    want = task_arithmetic(base, stack, WEIGHTS)
    for name in ("b", "w"):
        error = np.std(drawn[name], axis=0) / np.sqrt(len(keys))
        assert np.max(np.abs(np.mean(drawn[name], axis=0) - want[name]) / error) < 5
    assert gap(dare(base, stack, WEIGHTS, density=1.0, key=jax.random.key(2)), want) < 1e-13
    one = jax.tree.map(lambda leaf: np.asarray(leaf)[:1], stack)
    alone = lambda key: dare(base, one, np.ones(1), density=0.3, key=key)["w"] == base["w"]
    np.testing.assert_allclose(np.mean(jax.jit(jax.vmap(alone))(keys)), 0.7, atol=0.01)


def test_bad_input_says_what_is_wrong():
    base, stack = models()
    with pytest.raises(ValueError, match=r"weights has shape \[2\]"):
        task_arithmetic(base, stack, jnp.ones(2))
    with pytest.raises(ValueError, match="lacks 'w'"):
        ties(base, {"b": stack["b"], "steps": stack["steps"]}, WEIGHTS, density=0.5)
    with pytest.raises(ValueError, match="no common leading axis"):
        task_arithmetic(base, {"b": jnp.ones((2, 4)), "w": jnp.ones((3, 3, 4))}, WEIGHTS)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16) if leaf.dtype != int else leaf, (base, stack))
    assert task_arithmetic(*half, WEIGHTS)["w"].dtype == jnp.bfloat16
