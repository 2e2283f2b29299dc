"""Coordinate ascent: the first sweep by hand, the end against brute force, lazy sweeps against the others."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.ascent.lazy_sweeps import lazy_match
from geojax.symmetry.ascent.problem import Pair, Problem, objective
from geojax.symmetry.ascent.sweeps import anchored_order, ascend, dependences, pair_weights

# A chain of three groups: the last one has most of its numbers in an array that no other group moves.
CHAIN = Problem(
    (
        Pair(("", "x"), ("", "x")),
        Pair(("x", "y"), ("x", "y")),
        Pair(("y", "z"), ("y", "z")),
        Pair(("z", ""), ("z", "")),
    ),
    (("x", ()), ("y", ()), ("z", ())),
)
SIZES = [(2, 3), (3, 3), (3, 3), (3, 8)]
START = {name: jnp.arange(3, dtype=jnp.int32) for name in "xyz"}
ALL = np.array(list(itertools.permutations(range(3))))
KEYS = jax.random.split(jax.random.key(0), 12)


def models(key):
    return [
        [jax.random.normal(k, s) for k, s in zip(jax.random.split(each, 4), SIZES)]
        for each in jax.random.split(key)
    ]


def numpy_models(seed):
    random = np.random.default_rng(seed)
    return [[random.normal(size=size) for size in SIZES] for _ in range(2)]


@jax.jit
def run(a, b, key):
    return ascend(CHAIN, a, b, START, key=key, given=(), max_steps=50)


def test_the_first_sweep_begins_with_the_best_anchored_group():
    sizes = [int(np.prod(shape)) for shape in SIZES]
    assert anchored_order(CHAIN, sizes, [False] * 3) == [2, 1, 0]
    assert anchored_order(CHAIN, sizes, [True, False, False]) == [0, 2, 1]


def test_groups_that_share_an_array_depend_on_each_other():
    np.testing.assert_array_equal(dependences(CHAIN), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    recurrent = Problem((Pair(("x", "x"), ("x", "x")),), (("x", ()),))
    assert dependences(recurrent).all()  # one update of a quadratic group is not exact


def test_arrays_count_as_much_as_their_other_groups_are_trusted():
    weights = jax.jit(lambda trust: pair_weights(CHAIN, 1, trust))(np.array([0.5, 0.0, 1.0]))
    np.testing.assert_array_equal(weights, [0.5, 0.5, 1.0, 1.0])
    recurrent = Problem((Pair(("x", "x"), ("x", "x")), Pair(("x",), ("x",))), (("x", ()),))
    of_recurrent = jax.jit(lambda trust: pair_weights(recurrent, 0, trust))
    np.testing.assert_array_equal(of_recurrent(np.array([0.0])), [0, 1])
    np.testing.assert_array_equal(of_recurrent(np.array([0.3])), [1, 1])


def test_law_the_end_is_a_coordinatewise_optimum_and_close_to_the_best_of_all():
    triples = np.array(list(itertools.product(ALL, repeat=3)))
    elements = {name: triples[:, i] for i, name in enumerate("xyz")}
    gaps = []
    values = jax.jit(lambda a, b: jax.vmap(lambda element: objective(CHAIN, a, b, element))(elements))
    for seed, key in enumerate(KEYS):
        a, b = numpy_models(seed)
        element, error, _, status = jax.device_get(run(a, b, key))
        assert status == Status.CONVERGED and error == 0
        of_all = np.asarray(values(a, b)).reshape(6, 6, 6)
        at = tuple(np.flatnonzero((np.asarray(element[name]) == ALL).all(axis=1))[0] for name in "xyz")
        for axis in range(3):
            line = of_all[tuple(slice(None) if i == axis else at[i] for i in range(3))]
            assert of_all[at] >= line.max() - 1e-12
        gaps.append((of_all.max() - of_all[at]) / (of_all.max() - of_all.min()))
    assert np.mean(gaps) < 0.05


def test_law_a_first_sweep_from_scratch_never_ends_below_its_start():
    """Models near each other, where the identity is good and a search from the anchors alone may lose it."""

    @jax.jit
    @jax.vmap
    def law(key):
        a, noise = models(key)
        b = [x + 0.7 * y for x, y in zip(a, noise)]
        element, *_ = ascend(CHAIN, a, b, START, key=key, given=(), max_steps=1)
        return objective(CHAIN, a, b, element) - objective(CHAIN, a, b, START)

    assert np.all(law(jax.random.split(jax.random.key(1), 24)) >= -1e-12)


@pytest.mark.parametrize("given", [(), ("x", "y", "z")], ids=["from scratch", "from a start"])
def test_lazy_sweeps_end_where_the_others_do_and_measure_the_objective_once(given):
    key = KEYS[0]
    a, b = numpy_models(0)
    counts = np.zeros(4, int)

    def read(number):
        counts[number] += 1
        return a[number], b[number]

    lazy = lazy_match(
        CHAIN, read, [x.size for x in a], START, key=key, given=given, max_steps=50, dtype=np.dtype("float64")
    )

    @jax.jit
    def sweeps(a, b):
        element, _, num_steps, status = ascend(CHAIN, a, b, START, key=key, given=given, max_steps=50)
        return element, num_steps, status, objective(CHAIN, a, b, element)

    element, num_steps, status, value = sweeps(a, b)
    for name in START:
        np.testing.assert_array_equal(lazy.element[name], element[name])
    np.testing.assert_allclose(lazy.objective, value, rtol=1e-12)
    assert lazy.num_steps == num_steps and lazy.status == status == Status.CONVERGED
    # An array that one group alone moves is read for its gains once, and once more for each objective.
    assert counts[0] <= 1 + (2 if given == () else 0) + 1


def test_a_problem_without_groups_is_solved_without_a_sweep():
    element, error, num_steps, status = ascend(
        Problem((Pair(("",), ("",)),), ()), [jnp.ones(2)], [jnp.ones(2)], {}, key=None, given=(), max_steps=5
    )
    assert (element, float(error), int(num_steps), int(status)) == ({}, 0.0, 0, Status.CONVERGED)


def test_too_few_sweeps_and_nan_are_reported():
    a, b = numpy_models(1)
    none = jax.jit(lambda a, b: ascend(CHAIN, a, b, START, key=KEYS[1], given=(), max_steps=0))(a, b)
    assert none[3] == Status.MAX_STEPS and none[2] == 0
    b[0][0, 0] = np.nan
    assert run(a, b, KEYS[1])[3] == Status.NONFINITE
