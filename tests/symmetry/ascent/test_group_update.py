"""One update of a group and its dependents against brute force, and its options against each other."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.symmetry.ascent import group_update
from geojax.symmetry.ascent.compact_groups import compact_groups, compact_identity, pair_up
from geojax.symmetry.ascent.group_update import constant_gains, update_group
from geojax.symmetry.ascent.problem import objective
from tests.symmetry.inference.handmade import draw, flattened_cnn, mlp, numpy_draw, scanned_attention

KEYS = jax.random.split(jax.random.key(0), 4)
SPECS = {
    "one hidden layer": mlp([3, 5, 2]),
    "a flattened feature map": flattened_cnn(channels=4),
    "units inside heads inside layers": scanned_attention(layers=1),
}


def flat(spec, params):
    return {
        leaf.path: functools.reduce(lambda at, k: at[k], leaf.path.split("/"), params) for leaf in spec.leaves
    }


def problem_of(spec, key):
    return problem_between(spec, [draw(spec, jax.random.fold_in(key, k)) for k in range(2)])


def numpy_problem_of(spec, seed):
    problem, models, start = problem_between(spec, [numpy_draw(spec, (seed, k)) for k in range(2)])
    return problem, *jax.device_get((models, start))


def problem_between(spec, models):
    groups = compact_groups(spec)
    arrays = pair_up(spec, groups, [flat(spec, params) for params in models])
    return *arrays, compact_identity(groups, jnp.float64)


def every_element(spec):
    choices = []
    for _, group in spec.members:
        perms = np.array(list(itertools.permutations(range(group.size))))
        choices.append(
            [np.array(x).reshape(group.shape) for x in itertools.product(perms, repeat=group.copies)]
        )
    return {name: np.stack(column) for name, column in zip(spec.groups, zip(*itertools.product(*choices)))}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_law_an_update_of_the_only_root_finds_the_best_of_all_elements(spec):
    problem, _, _ = numpy_problem_of(spec, 0)
    (root,) = problem.roots
    elements = every_element(spec)

    @jax.jit
    @jax.vmap
    def law(key):
        _, (a, b), start = problem_of(spec, key)
        of_all = jax.vmap(lambda element: objective(problem, a, b, element))(elements)
        result = update_group(problem, root, a, b, start)
        before, after = (objective(problem, a, b, element) for element in (start, result.element))
        return jnp.max(of_all), after, after - before, result.gain

    best, after, rise, gain = law(KEYS)
    np.testing.assert_allclose(after, best, rtol=1e-12)
    np.testing.assert_allclose(gain, rise, rtol=1e-9)


def test_constant_gains_change_nothing_and_weights_leave_pairs_out():
    problem, (a, b), start = numpy_problem_of(mlp([3, 5, 2]), 1)
    # Without the first layer only the second counts.
    include = np.array([float(pair.groups[-1] != "h0") for pair in problem.pairs])

    @jax.jit
    def updates(a, b):
        update = functools.partial(update_group, problem, "h0", a, b, start)
        return update(), update(constant=constant_gains(problem, "h0", a, b)), update(include=include)

    plain, with_constant, without_first = updates(a, b)
    np.testing.assert_array_equal(with_constant.element["h0"], plain.element["h0"])
    second = [i for i, pair in enumerate(problem.pairs) if pair.groups[0] == "h0" and len(pair.groups) == 2]
    (k,) = second
    gains = a[k] @ b[k].T
    best = max(gains[np.arange(5), list(p)].sum() for p in itertools.permutations(range(5)))
    np.testing.assert_allclose(without_first.value, best, rtol=1e-12)


def test_a_large_table_of_dependents_is_solved_row_by_row(monkeypatch):
    spec = SPECS["units inside heads inside layers"]
    problem, (a, b), start = numpy_problem_of(spec, 2)
    whole = jax.jit(lambda a, b: update_group(problem, "h", a, b, start))(a, b)
    monkeypatch.setattr(group_update, "MAX_NUMBERS", 1)
    rows = jax.jit(lambda a, b: update_group(problem, "h", a, b, start))(a, b)
    for name in start:
        np.testing.assert_array_equal(rows.element[name], whole.element[name])
    np.testing.assert_allclose(rows.gain, whole.gain, rtol=1e-12)


def test_nothing_constant_is_none():
    problem, (a, b), _ = numpy_problem_of(mlp([3, 2, 2, 3]), 3)
    assert constant_gains(problem, "h0", a, b) is not None
    middle = [pair for pair in problem.pairs if set(pair.groups) == {"h0", "h1"}]
    shared = type(problem)(tuple(middle), problem.groups)
    assert constant_gains(shared, "h0", a[:1], b[:1]) is None
