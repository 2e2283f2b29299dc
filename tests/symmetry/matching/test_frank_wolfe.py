"""Frank-Wolfe matching: planted elements, brute force, never below where rounding and ascent would end."""

import functools

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
from tests.symmetry.inference.handmade import SPECS, draw, mlp, numpy_dot, numpy_draw, plant, score

SHAPES = ["mlp", "attention", "recurrent", "grouped", "no group"]
FAST = ("mlp", "no group")
each_spec = pytest.mark.parametrize(
    "spec",
    [SPECS[name] if name in FAST else pytest.param(SPECS[name], marks=pytest.mark.full) for name in SHAPES],
    ids=SHAPES,
)


@functools.cache
def matcher(spec):
    """One compiled program for each spec."""
    return jax.jit(functools.partial(frank_wolfe_matching, spec))


@each_spec
def test_law_a_planted_element_is_recovered(spec):
    for key in jax.random.split(jax.random.key(0), 2):
        a, b, planted = plant(spec, key)
        result = matcher(spec)(a, b)
        np.testing.assert_allclose(result.objective, numpy_dot(a, a), rtol=1e-12)
        for name in planted:
            np.testing.assert_array_equal(result.element[name], planted[name])


@pytest.mark.parametrize("name", [pytest.param("mlp", marks=pytest.mark.full), "attention"])
def test_the_step_length_is_the_best_on_the_segment(name):
    spec = SPECS[name]
    a, b = numpy_draw(spec, 3), numpy_draw(spec, 4)
    models = balance_models(spec, read_params("test()", spec, a=a, b=b))
    problem, (x, y) = models.problem, models.arrays
    value = lambda soft: soft_objective(problem, x, y, soft)
    degree = max(sum(bool(group) for group in pair.groups) for pair in problem.pairs)
    center = mean_element(problem, identity(spec), jnp.float64)

    @jax.jit
    @jax.vmap
    def law(key):
        _, _, element = plant(spec, key)
        towards = jax.tree.map(jnp.subtract, soften(problem, element, jnp.float64), center)
        here, slope = jax.jvp(value, (center,), (towards,))
        at = lambda t: value(jax.tree.map(lambda s, d: s + t * d, center, towards))
        length = _best_length(value, center, towards, here, slope, degree)
        return jax.vmap(at)(jnp.linspace(0, 1, 2001)), at(length)

    dense, best = law(jax.random.split(jax.random.key(5), 4))
    low, high = dense.min(axis=1), dense.max(axis=1)
    assert np.all(best >= high - 1e-3 * (high - low))


@pytest.mark.full
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


@pytest.mark.full
def test_a_start_is_never_made_worse():
    spec = mlp([3, 12, 12, 12, 3])
    for key in jax.random.split(jax.random.key(7), 8):
        a, b = draw(spec, key), draw(spec, jax.random.fold_in(key, 1))
        start = weight_matching(spec, a, b, key=key)
        result = frank_wolfe_matching(spec, a, b, init=start.element, max_steps=20)
        assert result.objective >= start.objective - 1e-9


def test_nan_weights_are_not_a_match():
    spec = SPECS["mlp"]
    a, b = numpy_draw(spec, 8), numpy_draw(spec, 9)
    b["1"]["w"][0, 0] = np.nan
    assert matcher(spec)(a, b).status == Status.NONFINITE


def test_too_few_steps_are_reported():
    spec = SPECS["mlp"]
    a, b = numpy_draw(spec, 10), numpy_draw(spec, 11)
    result = jax.jit(functools.partial(frank_wolfe_matching, spec, max_steps=2))(a, b)
    assert result.status == Status.MAX_STEPS
    assert result.num_steps == 2
    assert result.error > 1e-3
