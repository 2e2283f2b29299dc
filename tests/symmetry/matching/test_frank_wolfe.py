"""Frank-Wolfe matching: planted elements, brute force, never below where rounding and ascent would end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.action.elements import identity
from geojax.symmetry.ascent.balanced_models import balance_models
from geojax.symmetry.ascent.soft import mean_element, soft_objective, soften
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.symmetry.matching.frank_wolfe import _best_length, frank_wolfe_matching
from geojax.symmetry.orbits.reading import read_params
from tests.symmetry.inference.handmade import SPECS, dot, draw, mlp, plant, score

SHAPES = ["mlp", "attention", "recurrent", "grouped", "no group"]
each_spec = pytest.mark.parametrize("spec", [SPECS[name] for name in SHAPES], ids=SHAPES)


@each_spec
def test_law_a_planted_element_is_recovered(spec):
    for key in jax.random.split(jax.random.key(0), 2):
        a, b, planted = plant(spec, key)
        found = frank_wolfe_matching(spec, a, b)
        np.testing.assert_allclose(found.objective, dot(a, a), rtol=1e-12)
        for name in planted:
            np.testing.assert_array_equal(found.element[name], planted[name])


@pytest.mark.parametrize("name", ["mlp", "attention"])
def test_the_step_length_is_the_best_on_the_segment(name):
    spec = SPECS[name]
    a, b = draw(spec, jax.random.key(3)), draw(spec, jax.random.key(4))
    models = balance_models(spec, read_params("test()", spec, a=a, b=b))
    problem, (x, y) = models.problem, models.arrays
    value = lambda soft: soft_objective(problem, x, y, soft)
    degree = max(sum(bool(group) for group in pair.groups) for pair in problem.pairs)
    center = mean_element(problem, identity(spec), jnp.float64)
    for key in jax.random.split(jax.random.key(5), 4):
        _, _, element = plant(spec, key)
        towards = jax.tree.map(jnp.subtract, soften(problem, element, jnp.float64), center)
        here, slope = jax.jvp(value, (center,), (towards,))
        at = jax.vmap(lambda t, towards=towards: value(jax.tree.map(lambda s, d: s + t * d, center, towards)))
        dense = at(jnp.linspace(0, 1, 2001))
        best = at(_best_length(value, center, towards, here, slope, degree)[None])[0]
        assert best >= jnp.max(dense) - 1e-3 * (jnp.max(dense) - jnp.min(dense))


def test_on_average_it_ends_above_coordinate_ascent():
    """Random models that have nothing to do with each other, 8 keys: the relaxation finds better optima."""
    spec = mlp([3, 12, 12, 12, 3])
    rises = []
    for key in jax.random.split(jax.random.key(6), 8):
        a, b = draw(spec, key), draw(spec, jax.random.fold_in(key, 1))
        ascent = weight_matching(spec, a, b, key=key)
        relaxed = frank_wolfe_matching(spec, a, b)
        np.testing.assert_allclose(relaxed.objective, score(spec, relaxed.element, a, b), rtol=1e-12)
        rises.append(relaxed.objective - ascent.objective)
    assert np.mean(rises) > 0


def test_a_start_is_never_made_worse():
    spec = mlp([3, 12, 12, 12, 3])
    for key in jax.random.split(jax.random.key(7), 8):
        a, b = draw(spec, key), draw(spec, jax.random.fold_in(key, 1))
        start = weight_matching(spec, a, b, key=key)
        found = frank_wolfe_matching(spec, a, b, init=start.element, max_steps=20)
        assert found.objective >= start.objective - 1e-9


def test_nan_weights_are_not_a_match():
    spec = SPECS["mlp"]
    a, b = draw(spec, jax.random.key(8)), draw(spec, jax.random.key(9))
    b["1"]["w"] = b["1"]["w"].at[0, 0].set(jnp.nan)
    assert frank_wolfe_matching(spec, a, b).status == Status.NONFINITE


def test_too_few_steps_are_reported():
    spec = mlp([3, 12, 12, 12, 3])
    a, b = draw(spec, jax.random.key(10)), draw(spec, jax.random.key(11))
    found = frank_wolfe_matching(spec, a, b, max_steps=2)
    assert found.status == Status.MAX_STEPS
    assert found.num_steps == 2
    assert found.error > 1e-3
