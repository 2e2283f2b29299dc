"""Weight matching: planted elements, brute force, warm starts, and the laws of coordinate ascent."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from geojax.results import SolverError, Status, unwrap
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import identity, random_element
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.matching.by_weights import weight_matching
from tests.symmetry.inference.handmade import (
    SPECS,
    draw,
    leaf,
    mlp,
    numpy_dot,
    numpy_draw,
    plant,
    recurrent,
    score,
)

FAST = ("mlp", "no group")
each_spec = pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.full) for name in SPECS]
)
KEYS = jax.random.split(jax.random.key(0), 8)


@functools.cache
def matcher(spec, **options):
    """One compiled program for each spec: it matches a batch of eight pairs."""
    return jax.jit(jax.vmap(lambda a, b, key: weight_matching(spec, a, b, key=key, **options)))


@functools.cache
def cases(spec):
    """Eight pairs, and their matches: 4 planted, 1 of equal models, 2 with a NaN in b, 1 random."""

    (planted, b, elements), a = jax.device_get(
        jax.jit(jax.vmap(lambda key: (plant(spec, key), draw(spec, key))))(KEYS)
    )
    a = jax.tree.map(lambda x, y, z: np.concatenate([x[:4], z[4:5], y[5:]]), planted, a, b)
    leaves, structure = jax.tree.flatten(jax.tree.map(np.array, b))
    for k, place in ((5, 0), (6, -1)):
        leaves[place][(k, *(0,) * (leaves[place].ndim - 1))] = np.nan
    b = jax.tree.unflatten(structure, leaves)
    return a, b, item(elements, slice(4)), jax.device_get(matcher(spec)(a, b, KEYS))


def item(tree, k):
    return jax.tree.map(lambda x: x[k], tree)


@each_spec
def test_law_a_planted_element_is_recovered(name):
    a, _, planted, result = cases(SPECS[name])
    np.testing.assert_allclose(
        result.objective[:4], [numpy_dot(item(a, k), item(a, k)) for k in range(4)], rtol=1e-12
    )
    np.testing.assert_array_equal(result.status[:4], Status.CONVERGED)
    np.testing.assert_array_equal(result.error[:4], 0)
    for group in planted:
        np.testing.assert_array_equal(result.element[group][:4], planted[group])


@each_spec
def test_identical_models_stay_where_they_are(name):
    spec = SPECS[name]
    result = item(cases(spec)[3], 4)
    for group, array in identity(spec).items():
        np.testing.assert_array_equal(result.element[group], array)
    assert result.status == Status.CONVERGED and result.num_steps <= 2 and result.error == 0


@each_spec
def test_nan_weights_are_not_a_match(name):
    spec = SPECS[name]
    result = cases(spec)[3]
    np.testing.assert_array_equal(result.status[5:7], Status.NONFINITE)
    for group_name, g in spec.members:
        np.testing.assert_array_equal(
            np.sort(result.element[group_name][5:7], axis=-1),
            np.broadcast_to(np.arange(g.size), (2, *g.shape)),
        )


@pytest.mark.parametrize(
    "name", ["mlp", *(pytest.param(n, marks=pytest.mark.full) for n in ("attention", "grouped"))]
)
def test_converged_means_no_single_group_can_improve(name):
    """A coordinatewise optimum: no transposition inside one group raises the objective."""
    spec = SPECS[name]
    a, b, _, results = cases(spec)
    a, b, result = (item(tree, 7) for tree in (a, b, results))
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.objective, score(spec, result.element, a, b), rtol=1e-12)
    for group_name, g in spec.members:
        for copy in np.ndindex(*g.parent_sizes):
            for i, j in itertools.combinations(range(g.size), 2):
                perm = np.array(result.element[group_name])
                perm[(*copy, i)], perm[(*copy, j)] = perm[(*copy, j)], perm[(*copy, i)]
                other = {**result.element, group_name: jnp.asarray(perm)}
                assert score(spec, other, a, b) <= result.objective + 1e-9


@pytest.mark.parametrize("name", ["mlp", pytest.param("attention", marks=pytest.mark.full)])
def test_a_single_pair_is_the_item_of_a_batch(name):
    spec = SPECS[name]
    a, b, _, batched = cases(spec)
    single = weight_matching(spec, item(a, 7), item(b, 7), key=KEYS[7])
    for group in spec.groups:
        np.testing.assert_array_equal(batched.element[group][7], single.element[group])
    np.testing.assert_allclose(batched.objective[7], single.objective, rtol=1e-12)
    assert batched.num_steps[7] == single.num_steps


@pytest.mark.parametrize("name", ["mlp", "attention", "recurrent", "grouped"])
@pytest.mark.full
def test_law_the_objective_never_falls(name):
    """8 keys: random models from a random start, one sweep at a time; error is the last sweep's rise."""
    spec = SPECS[name]

    @jax.jit
    @jax.vmap
    def law(key):
        k1, k2, k3 = jax.random.split(key, 3)
        a, _, element = plant(spec, k1)
        b = draw(spec, k2)
        before = score(spec, element, a, b)
        once = weight_matching(spec, a, b, key=k3, init=element, max_steps=1)
        return before, once.objective, once.error

    before, after, rise = law(KEYS)
    assert np.all(after >= before - 1e-12 * np.abs(before))
    np.testing.assert_allclose(after - before, rise, rtol=1e-6, atol=1e-11)


SMALL = mlp([7, 6, 3])
match_small = jax.jit(functools.partial(weight_matching, SMALL))


def test_single_group_equals_scipy():
    a, b = numpy_draw(SMALL, 0), numpy_draw(SMALL, 1)
    cost = a["0"]["w"].T @ b["0"]["w"] + np.outer(a["0"]["b"], b["0"]["b"]) + a["1"]["w"] @ b["1"]["w"].T
    rows, columns = linear_sum_assignment(cost, maximize=True)
    result = match_small(a, b, key=KEYS[2])
    np.testing.assert_array_equal(result.element["h0"], columns)
    expected = cost[rows, columns].sum() + a["1"]["b"] @ b["1"]["b"]
    np.testing.assert_allclose(result.objective, expected, rtol=1e-12)


@pytest.mark.full
def test_quadratic_group_comes_close_to_brute_force():
    """Recurrent kernels: from the identity, the mean gap to the best of all 720 permutations is small."""
    spec = recurrent()
    perms = jnp.asarray(np.array(list(itertools.permutations(range(6)))))

    @jax.jit
    @jax.vmap
    def run(key):
        k1, k2, k3 = jax.random.split(key, 3)
        a, b = draw(spec, k1), draw(spec, k2)
        of_all = jax.vmap(lambda p: score(spec, {"h": p}, a, b))(perms)
        return jnp.max(of_all), jnp.min(of_all), weight_matching(spec, a, b, key=k3).objective

    best, worst, reached = run(jax.random.split(jax.random.key(1), 12))
    assert np.all(reached <= best + 1e-9)
    assert np.mean((reached - worst) / (best - worst)) > 0.9


def test_duplicated_and_dead_units_do_not_move_for_nothing():
    a = numpy_draw(SMALL, 9)
    for unit_first in (a["0"]["w"].T, a["0"]["b"], a["1"]["w"]):
        unit_first[1] = unit_first[0]
        unit_first[3:5] = 0
    result = match_small(a, a, key=KEYS[2])
    np.testing.assert_array_equal(result.element["h0"], np.arange(6))
    assert result.status == Status.CONVERGED


DEEP = mlp([4, 9, 9, 9, 3])


def test_a_sweep_too_few_is_reported_with_the_name_of_the_option():
    spec = DEEP
    a, b = numpy_draw(spec, 15), numpy_draw(spec, 16)
    result = jax.jit(functools.partial(weight_matching, spec, max_steps=1))(a, b, key=KEYS[0])
    assert result.status == Status.MAX_STEPS
    assert result.num_steps == 1
    assert result.error > 0
    np.testing.assert_allclose(result.objective - numpy_dot(a, b), result.error, rtol=1e-9)
    with pytest.raises(
        SolverError, match=r"MatchingResult.* did not converge: MAX_STEPS .*[rR]aise `max_steps`"
    ):
        unwrap(result)


@pytest.mark.full
def test_the_first_sweep_never_ends_below_the_start():
    """24 pairs near each other, where the identity is good and a start from the inputs alone may not be."""
    spec = mlp([1, 6, 6, 2])

    @jax.jit
    @jax.vmap
    def law(key):
        a, noise = draw(spec, key), draw(spec, jax.random.fold_in(key, 1))
        b = jax.tree.map(lambda x, y: x + 0.7 * y, a, noise)
        once = weight_matching(spec, a, b, key=key, max_steps=1)
        return once.objective - score(spec, identity(spec), a, b)

    assert np.all(law(jax.random.split(jax.random.key(40), 24)) >= -1e-12)


@pytest.mark.full
def test_groups_absent_from_a_start_are_searched():
    spec = DEEP
    b = draw(spec, jax.random.key(41))
    planted = random_element(spec, jax.random.key(42))
    a = act(spec, planted, b)
    result = weight_matching(spec, a, b, key=jax.random.key(0), init={"h0": planted["h0"]}, max_steps=1)
    for name in planted:
        np.testing.assert_array_equal(result.element[name], planted[name])


@pytest.mark.full
def test_warm_start_at_the_answer_is_one_sweep():
    spec = DEEP
    a, b = draw(spec, jax.random.key(15)), draw(spec, jax.random.key(16))
    result = weight_matching(spec, a, b, key=jax.random.key(17))
    again = weight_matching(spec, a, b, key=jax.random.key(18), init=result.element)
    assert again.num_steps == 1
    assert again.objective == result.objective
    for name in spec.groups:
        np.testing.assert_array_equal(again.element[name], result.element[name])


def test_gradient_of_the_objective_holds_the_element():
    a, b = numpy_draw(SMALL, 19), numpy_draw(SMALL, 20)

    @functools.partial(jax.grad, has_aux=True)
    def slope_and_moved(a):
        result = weight_matching(SMALL, a, b, key=KEYS[0])
        return result.objective, act(SMALL, result.element, b)

    slope, moved = jax.jit(slope_and_moved)(a)
    for got, expected in zip(jax.tree.leaves(slope), jax.tree.leaves(moved), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_dtypes_follow_the_weights():
    a, b = numpy_draw(SMALL, 22, np.float32), numpy_draw(SMALL, 23, np.float32)
    result = jax.eval_shape(functools.partial(weight_matching, SMALL, key=KEYS[0]), a, b)
    assert result.objective.dtype == result.error.dtype == jnp.float32
    assert result.element["h0"].dtype == jnp.int32


def test_complex_weights_maximise_the_real_part():
    spec = mlp([3, 4, 2])
    a = jax.tree.map(lambda x, y: x + 1j * y, numpy_draw(spec, 25), numpy_draw(spec, 26))

    @jax.jit
    def plant_and_match(key):
        planted = random_element(spec, key)
        return planted, weight_matching(spec, act(spec, planted, a), a, key=key)

    planted, result = plant_and_match(KEYS[0])
    np.testing.assert_array_equal(result.element["h0"], planted["h0"])
    assert result.objective.dtype == jnp.float64


def test_leaves_that_are_no_floating_arrays_are_left_alone():
    """Integers, functions, names, None, Python numbers and random keys beside the weights take no part."""
    counted = SymmetrySpec(SMALL.members, (*SMALL.leaves, leaf("steps")))
    a, b = numpy_draw(SMALL, 29), numpy_draw(SMALL, 30)
    extra = {
        "steps": jnp.int32(7),
        "f": jax.nn.relu,
        "name": "net",
        "none": None,
        "rate": 0.1,
        "key": KEYS[0],
    }
    plain = match_small(a, b, key=KEYS[0])
    result = jax.jit(
        lambda a, b: weight_matching(counted, {**a, **extra}, {**b, **extra}, key=KEYS[0]),
    )(a, b)
    assert result.objective == plain.objective
