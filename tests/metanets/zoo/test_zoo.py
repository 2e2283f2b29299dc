"""Populations of networks and the statistics of their weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.metanets import mixup, population, weight_statistics
from geojax.symmetry import act, infer, random_element


def init(key):
    return {"w": jax.random.normal(key, (3, 2)), "n": jnp.arange(2)}


def train(params, key):
    """One step of a descent whose rate is drawn; a fifth of the rates overflow."""
    rate = jax.random.uniform(key)
    grown = params["w"] * jnp.where(rate > 0.8, jnp.inf, 1 - rate)
    return {**params, "w": grown}, {"rate": rate}


MAKE = jax.jit(lambda start: population(init, train, key=jax.random.key(3), num=8, start=start))


@pytest.mark.full
def test_matches_a_loop_over_networks():
    stack, labels, _ = MAKE(0)
    for i in (0, 7):
        key_init, key_train = jax.random.split(jax.random.fold_in(jax.random.key(3), i))
        params, label = train(init(key_init), key_train)
        np.testing.assert_allclose(stack["w"][i], params["w"], rtol=1e-14)
        np.testing.assert_allclose(labels["rate"][i], label["rate"], rtol=1e-14)


@pytest.mark.full
def test_law_pieces_are_the_whole_in_any_order():
    second, first = MAKE(8), MAKE(0)
    whole = jax.jit(lambda: population(init, train, key=jax.random.key(3), num=16))()
    pieces = jax.tree.map(lambda a, b: np.concatenate([a, b]), first, second)
    jax.tree.map(np.testing.assert_array_equal, pieces, whole)
    assert len(np.unique(whole[1]["rate"])) == 16


def test_networks_that_diverged_stay_and_are_marked():
    stack, labels, finite = MAKE(0)
    _, labels_2, finite_2 = MAKE(8)
    rates = np.concatenate([labels["rate"], labels_2["rate"]])
    np.testing.assert_array_equal(np.concatenate([finite, finite_2]), rates <= 0.8)
    assert len(stack["w"]) == 8 and 0 < sum(rates > 0.8) < 16


@pytest.mark.full
def test_a_loop_gives_what_vmap_gives():
    loop = lambda f: functools.partial(jax.lax.map, f, batch_size=2)
    made = jax.jit(lambda: population(init, train, key=jax.random.key(3), num=8, batch=loop))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), made, MAKE(0))


def test_population_refuses_what_it_cannot_use():
    key = jax.random.key(0)
    with pytest.raises(TypeError, match="train returned"):
        population(init, lambda params, key: params, key=key, num=2)
    with pytest.raises(TypeError, match="init is"):
        population({"w": 1}, train, key=key, num=2)
    with pytest.raises(TypeError, match="typed random key"):
        population(init, train, key=jnp.zeros(2, jnp.uint32), num=2)
    with pytest.raises(ValueError, match="num is 0"):
        population(init, train, key=key, num=0)
    with pytest.raises(TypeError, match="batch is"):
        population(init, train, key=key, num=2, batch=64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_numpy(dtype):
    rng = np.random.default_rng(0)
    tree = {"a": rng.normal(size=(4, 3)).astype(dtype), "b": rng.normal(size=5).astype(dtype) ** 3}
    expected = np.concatenate(
        [[w.mean(), w.var(), *np.quantile(w, [0, 0.25, 0.5, 0.75, 1])] for w in map(tree.get, "ab")]
    )
    got = weight_statistics(tree)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=60 * np.finfo(dtype).eps, atol=60 * np.finfo(dtype).eps)


def test_law_statistics_follow_units_and_ignore_order():
    rng = np.random.default_rng(1)
    w = rng.normal(size=(4, 3))
    plain = weight_statistics([w])
    scaled = weight_statistics([1e6 * w])
    np.testing.assert_allclose(scaled, plain * np.array([1e6, 1e12, 1e6, 1e6, 1e6, 1e6, 1e6]), rtol=1e-12)
    moved = weight_statistics([rng.permutation(w.ravel()).reshape(3, 4)])
    np.testing.assert_allclose(moved, plain, rtol=1e-13, atol=1e-15)


def test_weight_statistics_refuses_what_has_none():
    with pytest.raises(ValueError, match="leaf 'b' of params has shape"):
        weight_statistics({"a": jnp.ones(2), "b": jnp.ones((0, 3))})
    with pytest.raises(TypeError, match="no leaves"):
        weight_statistics({})
    with pytest.raises(TypeError, match="leaf 'a' of params"):
        weight_statistics({"a": jnp.tanh, "b": jnp.ones(2)})


SHAPES = {"a": (3, 6), "b": (6,), "c": (6, 5), "d": (5, 2)}


def mlp(params, x):
    return jnp.tanh(jax.nn.gelu(x @ params["a"] + params["b"]) @ params["c"]) @ params["d"]


def draw(number, dtype=np.float64):
    rng = np.random.default_rng(number)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


@functools.cache
def mixing():
    spec = infer(mlp, draw(0), jnp.ones((4, 3)), verify=False)
    return spec, jax.jit(lambda a, b, t: mixup(spec, a, b, t, key=jax.random.key(1)))


@pytest.mark.full
def test_law_mixing_with_a_moved_copy_returns_the_network():
    spec, mix = mixing()
    params = draw(1)
    for number in range(4):
        copy = act(spec, random_element(spec, jax.random.key(number)), params)
        for t in (0.0, 0.3, 1.0):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-15), mix(params, copy, t), params
            )


@pytest.mark.full
def test_law_the_ends_are_the_networks_and_between_is_closer_than_unmoved():
    _, mix = mixing()
    a, b, x = draw(2), draw(3), np.random.default_rng(4).normal(size=(9, 3))
    jax.tree.map(np.testing.assert_array_equal, mix(a, b, 0.0), a)
    end = mix(a, b, 1.0)
    np.testing.assert_allclose(mlp(end, x), mlp(b, x), rtol=1e-12, atol=1e-13)
    distance = lambda p, q: sum(np.sum((p[name] - q[name]) ** 2) for name in SHAPES)
    assert distance(a, end) < distance(a, b)
    middle = jax.tree.map(lambda p, q: (p + q) / 2, a, end)
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-14), mix(a, b, 0.5), middle)


def test_mixup_refuses_wrong_calls():
    spec, _ = mixing()
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="t has shape"):
        mixup(spec, draw(0), draw(1), jnp.ones(2), key=key)
    with pytest.raises(ValueError, match="params_b"):
        mixup(spec, draw(0), {"a": jnp.ones((3, 6))}, 0.5, key=key)
    with pytest.raises(TypeError, match="spec is"):
        mixup(mlp, draw(0), draw(1), 0.5, key=key)
