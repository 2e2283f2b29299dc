"""Universe matching: many models at once, brute force, cycles that close."""

import functools
import itertools

import jax
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import compose, identity, inverse, random_element
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.symmetry.matching.universe import universe_matching
from geojax.symmetry.orbits.reading import read_stack
from tests.symmetry.inference.handmade import SPECS, draw, mlp, numpy_dot, score


def item(element, k):
    return {name: array[k] for name, array in element.items()}


def agreement(spec, element, models):
    moved = jax.jit(lambda: [act(spec, item(element, k), model) for k, model in enumerate(models)])()
    return sum(numpy_dot(x, y) for x, y in itertools.combinations(moved, 2))


@functools.cache
def matcher(spec, max_steps=100):
    """One compiled program for each spec: a stack of models and a key."""
    return jax.jit(lambda stack, key: universe_matching(spec, stack, key=key, max_steps=max_steps))


def models_of(stack):
    return [jax.tree.map(lambda x, k=k: x[k], stack) for k in range(len(jax.tree.leaves(stack)[0]))]


def drawn(spec, key):
    return jax.device_get(_drawn(spec, key))


@functools.partial(jax.jit, static_argnums=0)
def _drawn(spec, key):
    return jax.vmap(functools.partial(draw, spec))(jax.random.split(key, 4))


@functools.partial(jax.jit, static_argnums=0)
def copies(spec, key):
    """A model, and four copies of it moved by random elements."""
    theta = draw(spec, key)
    return theta, jax.vmap(lambda k: act(spec, random_element(spec, k), theta))(jax.random.split(key, 4))


@pytest.mark.parametrize("name", ["mlp", pytest.param("attention", marks=pytest.mark.full), "no group"])
def test_law_planted_copies_are_brought_together(name):
    spec = SPECS[name]
    move = jax.jit(jax.vmap(functools.partial(act, spec)))
    for key in jax.random.split(jax.random.key(0), 2):
        theta, stack = copies(spec, key)
        result = matcher(spec)(stack, key)
        assert result.status == Status.CONVERGED
        np.testing.assert_allclose(result.objective, 6 * numpy_dot(theta, theta), rtol=1e-9)
        moved = jax.device_get(move(result.element, stack))
        for leaf in jax.tree.leaves(moved):
            np.testing.assert_allclose(leaf, np.broadcast_to(leaf[:1], leaf.shape), atol=1e-12)


def test_objective_is_the_sum_over_pairs():
    spec = SPECS["mlp"]
    stack, key = drawn(spec, jax.random.key(1)), jax.random.key(2)
    result = matcher(spec)(stack, key)
    np.testing.assert_allclose(result.objective, agreement(spec, result.element, models_of(stack)), rtol=1e-9)


def test_a_stack_and_a_list_are_read_as_the_same_models():
    spec = SPECS["mlp"]
    stack = drawn(spec, jax.random.key(1))
    one, two = (read_stack("test()", spec, models) for models in (stack, models_of(stack)))
    assert len(one) == len(two) == 4
    for x, y in zip(one, two):
        assert x.keys() == y.keys() == {leaf.path for leaf in spec.leaves}
        for path in x:
            np.testing.assert_array_equal(x[path], y[path])


@pytest.mark.full
def test_law_the_objective_never_falls():
    spec = SPECS["mlp"]
    for key in jax.random.split(jax.random.key(1), 4):
        stack = drawn(spec, key)
        once, last = (matcher(spec, steps)(stack, key) for steps in (1, 100))
        assert last.objective >= once.objective - 1e-9


@pytest.mark.full
def test_close_to_the_best_of_all_by_force():
    """Three models with one group of four units: 24^2 elements up to a common turn."""
    spec = mlp([3, 4, 2])
    perms = np.array(list(itertools.permutations(range(4))))
    gaps = []
    for key in jax.random.split(jax.random.key(2), 12):
        models = [draw(spec, k) for k in jax.random.split(key, 3)]
        stacked = [jax.vmap(lambda p, m=m: act(spec, {"h0": p}, m))(perms) for m in models]
        flat = [
            np.concatenate([np.asarray(x).reshape(24, -1) for x in jax.tree.leaves(m)], axis=1)
            for m in stacked
        ]
        pairwise = flat[0][:1] @ flat[1].T + (flat[0][:1] @ flat[2].T).T + (flat[1] @ flat[2].T).T
        result = universe_matching(spec, models, key=key)
        assert result.objective <= pairwise.max() + 1e-9
        gaps.append((pairwise.max() - result.objective) / (pairwise.max() - pairwise.min()))
    assert np.mean(gaps) < 0.1


@pytest.mark.full
def test_two_models_are_matched_as_by_weight_matching():
    """The objective of two models in a universe is that of a pair: no better, no worse optimum."""
    spec = mlp([30, 5, 2])
    for key in jax.random.split(jax.random.key(3), 4):
        a, b = draw(spec, key), draw(spec, jax.random.fold_in(key, 1))
        universe = universe_matching(spec, [a, b], key=key)
        pair = weight_matching(spec, a, b, key=key)
        np.testing.assert_allclose(universe.objective, pair.objective, rtol=1e-12)
        between = compose(spec, inverse(spec, item(universe.element, 0)), item(universe.element, 1))
        np.testing.assert_allclose(score(spec, between, a, b), pair.objective, rtol=1e-12)


def test_cycles_close():
    spec = SPECS["mlp"]
    result = matcher(spec)(drawn(spec, jax.random.key(4)), jax.random.key(5))
    maps = [
        compose(spec, inverse(spec, item(result.element, (k + 1) % 3)), item(result.element, k))
        for k in range(3)
    ]
    around = functools.reduce(lambda g, h: compose(spec, h, g), maps)
    for name, array in identity(spec).items():
        np.testing.assert_array_equal(around[name], array)


@pytest.mark.full
def test_one_model_stays_where_it_is():
    spec = SPECS["mlp"]
    result = universe_matching(spec, [draw(spec, jax.random.key(6))], key=jax.random.key(7))
    assert result.objective == 0
    assert result.status == Status.CONVERGED
    for name, array in identity(spec).items():
        np.testing.assert_array_equal(result.element[name][0], array)


def test_nan_in_one_model_is_reported():
    spec = SPECS["mlp"]
    stack = drawn(spec, jax.random.key(8))
    stack["0"]["w"] = stack["0"]["w"].copy()
    stack["0"]["w"][1, 0, 0] = np.nan
    assert matcher(spec)(stack, jax.random.key(9)).status == Status.NONFINITE
