"""Matching by the loss: planted elements, never worse than its start, better than weights where these are misled."""

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
X = jax.random.uniform(jax.random.key(0), (256, 2), minval=-2, maxval=2)
Y = jnp.sin(2 * X[:, :1]) * jnp.cos(X[:, 1:])


def mlp(params, x):
    for i in "01":
        x = jnp.tanh(x @ params[i]["w"] + params[i]["b"])
    return x @ params["2"]["w"] + params["2"]["b"]


def loss(params, key):
    """The whole data: the key changes nothing."""
    return jnp.mean((mlp(params, X) - Y) ** 2)


@jax.jit
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


def straight_through(a, b, key):
    return straight_through_matching(SPEC, loss, a, b, key=key, num_steps=60, optimizer=optax.adam(3e-3))


def by_sinkhorn(a, b, key):
    return sinkhorn_matching(SPEC, loss, a, b, key=key, num_steps=60)


MATCHERS = {"straight through": jax.jit(straight_through), "sinkhorn": jax.jit(by_sinkhorn)}
each_matcher = pytest.mark.parametrize("match", MATCHERS.values(), ids=MATCHERS)


def middle(element, a, b):
    return loss(midpoint(a, act(SPEC, element, b)), None)


@each_matcher
def test_law_the_midpoint_is_never_worse_than_by_weights_and_better_on_average(match):
    ratios = []
    for seed in range(4):
        a, b = trained(jax.random.key(2 * seed + 1)), trained(jax.random.key(2 * seed + 2))
        found = match(a, b, jax.random.key(seed))
        by_weights = weight_matching(SPEC, a, b, key=jax.random.key(seed))
        np.testing.assert_allclose(-found.objective, middle(found.element, a, b), rtol=1e-9)
        assert -found.objective <= middle(by_weights.element, a, b) * (1 + 1e-9)
        ratios.append(-found.objective / middle(by_weights.element, a, b))
    assert np.mean(ratios) < 0.9


@each_matcher
def test_a_planted_element_is_recovered(match):
    a = trained(jax.random.key(1))
    planted = random_element(SPEC, jax.random.key(100))
    found = match(act(SPEC, planted, a), a, jax.random.key(101))
    for name in planted:
        np.testing.assert_array_equal(found.element[name], planted[name])
    np.testing.assert_allclose(-found.objective, loss(a, None), rtol=1e-6)


@each_matcher
def test_nan_weights_are_not_a_match(match):
    a, b = trained(jax.random.key(1)), trained(jax.random.key(2))
    b["0"]["w"] = b["0"]["w"].at[0, 0].set(jnp.nan)
    assert match(a, b, jax.random.key(0)).status == Status.NONFINITE


@each_matcher
def test_vmap_is_the_loop(match):
    keys = jax.random.split(jax.random.key(5), 2)
    a, b = jax.vmap(trained)(keys), jax.vmap(trained)(jax.random.split(jax.random.key(6), 2))
    batched = jax.jit(jax.vmap(match))(a, b, keys)
    for i in range(2):
        single = match(*jax.tree.map(lambda leaf, i=i: leaf[i], (a, b, keys)))
        for name in single.element:
            np.testing.assert_array_equal(batched.element[name][i], single.element[name])
        np.testing.assert_allclose(batched.objective[i], single.objective, rtol=1e-9)


def test_midpoint_keeps_what_is_not_a_number():
    a = {"w": jnp.ones(2), "f": jnp.tanh, "n": jnp.int32(3)}
    b = {"w": 3 * jnp.ones(2), "f": jnp.tanh, "n": jnp.int32(5)}
    half = midpoint(a, b)
    np.testing.assert_array_equal(half["w"], 2 * np.ones(2))
    assert half["f"] is jnp.tanh
    assert half["n"] == 3
