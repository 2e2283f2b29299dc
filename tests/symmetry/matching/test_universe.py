"""Universe matching: many models at once, brute force, cycles that close."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import compose, identity, inverse, random_element
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.symmetry.matching.universe import universe_matching
from tests.symmetry.inference.handmade import SPECS, dot, draw, mlp, score


def item(element, k):
    return {name: array[k] for name, array in element.items()}


def agreement(spec, element, models):
    moved = [act(spec, item(element, k), model) for k, model in enumerate(models)]
    return sum(dot(x, y) for x, y in itertools.combinations(moved, 2))


@pytest.mark.parametrize("name", ["mlp", "attention", "no group"])
def test_law_planted_copies_are_brought_together(name):
    spec = SPECS[name]
    for key in jax.random.split(jax.random.key(0), 2):
        theta = draw(spec, key)
        turned = [act(spec, random_element(spec, k), theta) for k in jax.random.split(key, 4)]
        found = universe_matching(spec, turned, key=key)
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.objective, 6 * dot(theta, theta), rtol=1e-9)
        moved = jax.vmap(functools.partial(act, spec))(
            found.element, jax.tree.map(lambda *x: jnp.stack(x), *turned)
        )
        for leaf in jax.tree.leaves(moved):
            np.testing.assert_allclose(leaf, jnp.broadcast_to(leaf[:1], leaf.shape), atol=1e-12)


def test_objective_is_the_sum_over_pairs_and_never_falls():
    spec = SPECS["mlp"]
    for key in jax.random.split(jax.random.key(1), 4):
        models = [draw(spec, k) for k in jax.random.split(key, 4)]
        last = -np.inf
        for sweeps in (1, 100):
            found = universe_matching(spec, models, key=key, max_steps=sweeps)
            np.testing.assert_allclose(found.objective, agreement(spec, found.element, models), rtol=1e-9)
            assert found.objective >= last - 1e-9
            last = found.objective


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
        found = universe_matching(spec, models, key=key)
        assert found.objective <= pairwise.max() + 1e-9
        gaps.append((pairwise.max() - found.objective) / (pairwise.max() - pairwise.min()))
    assert np.mean(gaps) < 0.1


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
    models = [draw(spec, k) for k in jax.random.split(jax.random.key(4), 4)]
    found = universe_matching(spec, models, key=jax.random.key(5))
    maps = [
        compose(spec, inverse(spec, item(found.element, (k + 1) % 3)), item(found.element, k))
        for k in range(3)
    ]
    around = functools.reduce(lambda g, h: compose(spec, h, g), maps)
    for name, array in identity(spec).items():
        np.testing.assert_array_equal(around[name], array)


def test_one_model_stays_where_it_is():
    spec = SPECS["mlp"]
    found = universe_matching(spec, [draw(spec, jax.random.key(6))], key=jax.random.key(7))
    assert found.objective == 0
    assert found.status == Status.CONVERGED
    for name, array in identity(spec).items():
        np.testing.assert_array_equal(found.element[name][0], array)


def test_nan_in_one_model_is_reported():
    spec = SPECS["mlp"]
    models = [draw(spec, k) for k in jax.random.split(jax.random.key(8), 3)]
    models[1]["0"]["w"] = models[1]["0"]["w"].at[0, 0].set(jnp.nan)
    assert universe_matching(spec, models, key=jax.random.key(9)).status == Status.NONFINITE


def test_errors_name_the_model():
    spec = SPECS["mlp"]
    with pytest.raises(ValueError, match="models is empty"):
        universe_matching(spec, [], key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"universe_matching: models\[1\]: params does not fit"):
        universe_matching(spec, [draw(spec, jax.random.key(0)), {}], key=jax.random.key(0))
