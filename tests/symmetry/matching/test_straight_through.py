"""Matching by the loss: planted elements, never worse than its start, better than weights where these are misled."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.symmetry.matching.midpoint_search import midpoint
from geojax.symmetry.matching.sinkhorn import sinkhorn_matching
from geojax.symmetry.matching.straight_through import straight_through_matching
from tests.symmetry.inference.handmade import mlp as mlp_spec

WIDTH = 12
SPEC = mlp_spec([2, WIDTH, WIDTH, 1])
X = np.random.default_rng(0).uniform(-2, 2, size=(128, 2))
Y = np.sin(2 * X[:, :1]) * np.cos(X[:, 1:])


def mlp(params, x):
    for i in "01":
        x = jnp.tanh(x @ params[i]["w"] + params[i]["b"])
    return x @ params["2"]["w"] + params["2"]["b"]


def loss(params, key):
    """The whole data: the key changes nothing."""
    return jnp.mean((mlp(params, X) - Y) ** 2)


def trained(key):
    sizes = {"0": (2, WIDTH), "1": (WIDTH, WIDTH), "2": (WIDTH, 1)}
    keys = jax.random.split(key, 3)
    params = {
        i: {"w": jax.random.normal(k, shape) / shape[0] ** 0.5, "b": jnp.zeros(shape[1])}
        for k, (i, shape) in zip(keys, sizes.items())
    }
    optimiser = optax.adam(1e-2)

    def step(carry, _):
        params, state = carry
        updates, state = optimiser.update(jax.grad(loss)(params, None), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimiser.init(params)), length=500)[0][0]


MATCHERS = {
    "straight through": lambda a, b, key: straight_through_matching(
        SPEC, loss, a, b, key=key, num_steps=60, optimizer=optax.adam(3e-3)
    ),
    "sinkhorn": lambda a, b, key: sinkhorn_matching(SPEC, loss, a, b, key=key, num_steps=60),
}
each_matcher = pytest.mark.parametrize("name", MATCHERS)
KEYS = jax.random.split(jax.random.key(0), 6)


@functools.cache
def cases():
    """Six pairs of four trained networks: 4 strangers, 1 planted, 1 with a NaN in b; and the element planted."""

    @jax.jit
    def train(keys):
        nets = jax.vmap(trained)(keys)
        planted = random_element(SPEC, keys[0])
        return nets, planted, act(SPEC, planted, jax.tree.map(lambda x: x[0], nets))

    nets, planted, moved = jax.device_get(train(jax.random.split(jax.random.key(1), 4)))
    pairs = ([0, 1, 2, 3, 0, 0], [1, 2, 3, 0, 0, 1])
    a, b = (jax.tree.map(lambda x, order=order: x[order], nets) for order in pairs)
    a = jax.tree.map(lambda x, y: np.concatenate([x[:4], y[None], x[5:]]), a, moved)
    b["0"]["w"][5, 0, 0] = np.nan
    return a, b, planted


@functools.cache
def matches(name):
    """One compiled program for each matcher."""
    a, b, _ = cases()
    return jax.device_get(jax.jit(jax.vmap(MATCHERS[name]))(a, b, KEYS))


@jax.jit
@jax.vmap
def middles(element, a, b, key):
    """The losses half way, with the element and with that of matching by weights; and the loss of a."""
    by_weights = weight_matching(SPEC, a, b, key=key).element
    half = (loss(midpoint(a, act(SPEC, each, b)), None) for each in (element, by_weights))
    return *half, loss(a, None)


@each_matcher
def test_law_the_midpoint_is_never_worse_than_by_weights_and_better_on_average(name):
    a, b, _ = cases()
    result = matches(name)
    here, by_weights, _ = (np.asarray(x)[:4] for x in middles(result.element, a, b, KEYS))
    np.testing.assert_allclose(-result.objective[:4], here, rtol=1e-9)
    assert np.all(here <= by_weights * (1 + 1e-9))
    assert np.mean(here / by_weights) < 0.9


@each_matcher
def test_a_planted_element_is_recovered(name):
    a, b, planted = cases()
    result = matches(name)
    for group in planted:
        np.testing.assert_array_equal(result.element[group][4], planted[group])
    _, _, lowest = middles(result.element, a, b, KEYS)
    np.testing.assert_allclose(-result.objective[4], lowest[4], rtol=1e-6)


@each_matcher
def test_nan_weights_are_not_a_match(name):
    assert matches(name).status[5] == Status.NONFINITE


@pytest.mark.full
@each_matcher
def test_a_single_pair_is_the_item_of_a_batch(name):
    a, b, _ = cases()
    batched = matches(name)
    single = jax.jit(MATCHERS[name])(*jax.tree.map(lambda x: x[1], (a, b)), KEYS[1])
    for group in single.element:
        np.testing.assert_array_equal(batched.element[group][1], single.element[group])
    np.testing.assert_allclose(batched.objective[1], single.objective, rtol=1e-9)


def test_midpoint_keeps_what_is_not_a_number():
    a = {"w": jnp.ones(2), "f": jnp.tanh, "n": jnp.int32(3)}
    b = {"w": 3 * jnp.ones(2), "f": jnp.tanh, "n": jnp.int32(5)}
    half = midpoint(a, b)
    np.testing.assert_array_equal(half["w"], 2 * np.ones(2))
    assert half["f"] is jnp.tanh
    assert half["n"] == 3
