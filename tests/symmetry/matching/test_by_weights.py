"""Weight matching against brute force, planted elements and the laws of coordinate ascent."""

import itertools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import identity, random_element
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.matching.by_weights import weight_matching
from tests.symmetry.inference.handmade import (
    SPECS,
    dot,
    draw,
    flattened_cnn,
    leaf,
    mlp,
    plant,
    recurrent,
    scanned_attention,
    score,
)

each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def best_by_force(spec, a, b):
    """The largest objective over every element of the group, one by one."""
    choices = []
    for _, g in spec.members:
        perms = np.array(list(itertools.permutations(range(g.size))))
        choices.append([np.array(x).reshape(g.shape) for x in itertools.product(perms, repeat=g.copies)])
    stacked = {
        name: jnp.asarray(np.stack(list(column)))
        for name, column in zip(spec.groups, zip(*itertools.product(*choices)))
    }
    return jnp.max(jax.vmap(lambda element: score(spec, element, a, b))(stacked))


@each_spec
def test_law_a_planted_element_is_recovered(spec):
    for key in jax.random.split(jax.random.key(0), 6):
        a, b, planted = plant(spec, key)
        found = weight_matching(spec, a, b, key=key)
        np.testing.assert_allclose(found.objective, dot(a, a), rtol=1e-12)
        assert found.status == Status.CONVERGED
        assert found.error == 0
        for name in planted:
            np.testing.assert_array_equal(found.element[name], planted[name])


@pytest.mark.parametrize("name", ["mlp", "attention", "recurrent", "grouped"])
def test_law_the_objective_never_falls(name):
    """12 keys: random models from a random start, one sweep at a time; error is the last sweep's rise."""
    spec = SPECS[name]
    for key in jax.random.split(jax.random.key(1), 12):
        k1, k2, k3 = jax.random.split(key, 3)
        a, _, element = plant(spec, k1)
        b = draw(spec, k2)
        before = score(spec, element, a, b)
        for _ in range(2):
            found = weight_matching(spec, a, b, key=k3, init=element, max_steps=1)
            assert found.objective >= before - 1e-12 * abs(before)
            np.testing.assert_allclose(found.objective - before, found.error, rtol=1e-6, atol=1e-11)
            element, before = found.element, found.objective


@pytest.mark.parametrize(
    "spec",
    [mlp([3, 5, 2]), flattened_cnn(), scanned_attention(layers=1), SPECS["no group"]],
    ids=["one hidden layer", "cnn", "heads and units", "no group"],
)
def test_one_unit_is_solved_exactly(spec):
    """Where every group belongs to one root and no leaf carries it twice, the first sweep finds the best of
    all."""
    for seed in range(4):
        k1, k2, k3 = jax.random.split(jax.random.key(seed), 3)
        a, b = draw(spec, k1), draw(spec, k2)
        found = weight_matching(spec, a, b, key=k3)
        best = best_by_force(spec, a, b) if spec.members else dot(a, b)
        np.testing.assert_allclose(found.objective, best, rtol=1e-12)
        np.testing.assert_allclose(found.objective, score(spec, found.element, a, b), rtol=1e-12)


@pytest.mark.parametrize("name", ["mlp", "attention", "scan", "recurrent", "grouped"])
def test_converged_means_no_single_group_can_improve(name):
    """A coordinatewise optimum: no transposition inside one group raises the objective."""
    spec = SPECS[name]
    a, b = draw(spec, jax.random.key(4)), draw(spec, jax.random.key(5))
    found = weight_matching(spec, a, b, key=jax.random.key(6))
    assert found.status == Status.CONVERGED
    for group_name, g in spec.members:
        if name == "recurrent":
            continue  # a quadratic assignment: only a local optimum of the relaxation
        for copy in np.ndindex(*g.parent_sizes):
            for i, j in itertools.combinations(range(g.size), 2):
                perm = np.array(found.element[group_name])
                perm[(*copy, i)], perm[(*copy, j)] = perm[(*copy, j)], perm[(*copy, i)]
                assert (
                    score(spec, {**found.element, group_name: jnp.asarray(perm)}, a, b)
                    <= found.objective + 1e-9
                )


def test_single_group_equals_scipy():
    spec = mlp([7, 20, 3])
    a, b = draw(spec, jax.random.key(0)), draw(spec, jax.random.key(1))
    cost = a["0"]["w"].T @ b["0"]["w"] + np.outer(a["0"]["b"], b["0"]["b"]) + a["1"]["w"] @ b["1"]["w"].T
    rows, columns = linear_sum_assignment(np.asarray(cost), maximize=True)
    found = weight_matching(spec, a, b, key=jax.random.key(2))
    np.testing.assert_array_equal(found.element["h0"], columns)
    expected = cost[rows, columns].sum() + dot(a["1"]["b"], b["1"]["b"])
    np.testing.assert_allclose(found.objective, expected, rtol=1e-12)


def test_quadratic_group_comes_close_to_brute_force():
    """Recurrent kernels: from the identity, the mean gap to the best of all 720 permutations is small."""
    spec = recurrent()
    ratios = []
    for seed in range(12):
        k1, k2, k3 = jax.random.split(jax.random.key(seed), 3)
        a, b = draw(spec, k1), draw(spec, k2)
        found = weight_matching(spec, a, b, key=k3)
        best, worst = best_by_force(spec, a, b), -best_by_force(spec, jax.tree.map(jnp.negative, a), b)
        assert found.objective <= best + 1e-9
        ratios.append((found.objective - worst) / (best - worst))
    assert np.mean(ratios) > 0.9


@each_spec
def test_identical_models_stay_where_they_are(spec):
    a = draw(spec, jax.random.key(7))
    found = weight_matching(spec, a, a, key=jax.random.key(8))
    for name, array in identity(spec).items():
        np.testing.assert_array_equal(found.element[name], array)
    assert found.status == Status.CONVERGED
    assert found.num_steps <= 2
    assert found.error == 0


def test_duplicated_and_dead_units_do_not_move_for_nothing():
    spec = mlp([4, 6, 3])
    a = draw(spec, jax.random.key(9))
    a["0"]["w"] = a["0"]["w"].at[:, 1].set(a["0"]["w"][:, 0]).at[:, 3:5].set(0)
    a["0"]["b"] = a["0"]["b"].at[1].set(a["0"]["b"][0]).at[3:5].set(0)
    a["1"]["w"] = a["1"]["w"].at[1].set(a["1"]["w"][0]).at[3:5].set(0)
    found = weight_matching(spec, a, a, key=jax.random.key(10))
    np.testing.assert_array_equal(found.element["h0"], np.arange(6))
    assert found.status == Status.CONVERGED


@pytest.mark.parametrize("name", ["mlp", "attention", "recurrent", "no group"])
def test_vmap_is_the_loop(name):
    spec = SPECS[name]
    keys = jax.random.split(jax.random.key(11), 3)
    a, b = (jax.vmap(lambda k: draw(spec, k))(jax.random.split(k, 3)) for k in keys[:2])
    match = lambda a, b, key: weight_matching(spec, a, b, key=key)
    batched = jax.jit(jax.vmap(match))(a, b, keys)
    for i in range(3):
        single = match(*jax.tree.map(operator.itemgetter(i), (a, b, keys)))
        for name in spec.groups:
            np.testing.assert_array_equal(batched.element[name][i], single.element[name])
        np.testing.assert_allclose(batched.objective[i], single.objective, rtol=1e-12)
        assert batched.num_steps[i] == single.num_steps


@each_spec
def test_nan_weights_are_not_a_match(spec):
    a, b = draw(spec, jax.random.key(12)), draw(spec, jax.random.key(13))
    for where in (0, -1):
        leaves, tree = jax.tree.flatten(b)
        leaves[where] = leaves[where].at[(0,) * leaves[where].ndim].set(jnp.nan)
        found = weight_matching(spec, a, jax.tree.unflatten(tree, leaves), key=jax.random.key(14))
        assert found.status == Status.NONFINITE
        for name, g in spec.members:
            np.testing.assert_array_equal(
                np.sort(found.element[name], axis=-1), np.broadcast_to(np.arange(g.size), g.shape)
            )


DEEP = mlp([4, 9, 9, 9, 3])


def test_a_sweep_too_few_is_reported():
    spec = DEEP
    a, b = draw(spec, jax.random.key(15)), draw(spec, jax.random.key(16))
    found = weight_matching(spec, a, b, key=jax.random.key(17), max_steps=1)
    assert found.status == Status.MAX_STEPS
    assert found.num_steps == 1
    assert found.error > 0
    np.testing.assert_allclose(found.objective - score(spec, identity(spec), a, b), found.error, rtol=1e-9)


def test_the_first_sweep_never_ends_below_the_start():
    """24 pairs near each other, where the identity is good and a start from the inputs alone may not be."""
    spec = mlp([1, 6, 6, 2])
    for key in jax.random.split(jax.random.key(40), 24):
        a, noise = draw(spec, key), draw(spec, jax.random.fold_in(key, 1))
        b = jax.tree.map(lambda x, y: x + 0.7 * y, a, noise)
        found = weight_matching(spec, a, b, key=key, max_steps=1)
        assert found.objective >= score(spec, identity(spec), a, b) - 1e-12


def test_groups_absent_from_a_start_find_their_place():
    spec = DEEP
    b = draw(spec, jax.random.key(41))
    planted = random_element(spec, jax.random.key(42))
    a = act(spec, planted, b)
    found = weight_matching(spec, a, b, key=jax.random.key(0), init={"h0": planted["h0"]}, max_steps=1)
    for name in planted:
        np.testing.assert_array_equal(found.element[name], planted[name])


def test_warm_start_at_the_answer_is_one_sweep():
    spec = DEEP
    a, b = draw(spec, jax.random.key(15)), draw(spec, jax.random.key(16))
    found = weight_matching(spec, a, b, key=jax.random.key(17))
    again = weight_matching(spec, a, b, key=jax.random.key(18), init=found.element)
    assert again.num_steps == 1
    assert again.objective == found.objective
    for name in spec.groups:
        np.testing.assert_array_equal(again.element[name], found.element[name])


def test_gradient_of_the_objective_holds_the_element():
    spec = SPECS["mlp"]
    a, b = draw(spec, jax.random.key(19)), draw(spec, jax.random.key(20))
    found = weight_matching(spec, a, b, key=jax.random.key(21))
    slope = jax.grad(lambda a: weight_matching(spec, a, b, key=jax.random.key(21)).objective)(a)
    for got, expected in zip(
        jax.tree.leaves(slope), jax.tree.leaves(act(spec, found.element, b)), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_dtypes_follow_the_weights():
    spec = mlp([4, 6, 3])
    for dtype in (jnp.float32, jnp.float64):
        a, b = draw(spec, jax.random.key(22), dtype), draw(spec, jax.random.key(23), dtype)
        found = weight_matching(spec, a, b, key=jax.random.key(24))
        assert found.objective.dtype == found.error.dtype == dtype
        assert found.element["h0"].dtype == jnp.int32


def test_complex_weights_maximise_the_real_part():
    spec = mlp([3, 4, 2])
    a = jax.tree.map(lambda x, y: x + 1j * y, draw(spec, jax.random.key(25)), draw(spec, jax.random.key(26)))
    planted = random_element(spec, jax.random.key(27))
    found = weight_matching(spec, act(spec, planted, a), a, key=jax.random.key(28))
    np.testing.assert_array_equal(found.element["h0"], planted["h0"])
    assert found.objective.dtype == jnp.float64


def test_other_leaves_are_left_alone():
    """Integers, functions and names beside the weights take no part."""
    spec = mlp([3, 4, 2])
    counted = SymmetrySpec(spec.members, (*spec.leaves, leaf("steps")))
    a, b = draw(spec, jax.random.key(29)), draw(spec, jax.random.key(30))
    extra = {"steps": jnp.int32(7), "activation": jax.nn.relu}
    plain = weight_matching(spec, a, b, key=jax.random.key(31))
    found = weight_matching(counted, {**a, **extra}, {**b, **extra}, key=jax.random.key(31))
    assert found.objective == plain.objective


def test_errors_name_the_argument():
    spec = mlp([3, 4, 2])
    a = draw(spec, jax.random.key(32))
    wide = draw(mlp([3, 5, 2]), jax.random.key(33))
    with pytest.raises(
        ValueError, match=r"(?s)weight_matching: params_b: .*0/b: got shape \(5,\), expected \(4,\)"
    ):
        weight_matching(spec, a, wide, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"(?s)weight_matching: params_a: .*missing: 1/w"):
        weight_matching(spec, {"0": a["0"]}, a, key=jax.random.key(0))
    with pytest.raises(ValueError, match="weight_matching: init: element: unknown group 'nobody'"):
        weight_matching(spec, a, a, key=jax.random.key(0), init={"nobody": jnp.arange(4)})
    with pytest.raises(TypeError, match="weight_matching: key"):
        weight_matching(spec, a, a, key=jnp.zeros(2, jnp.uint32))
    with pytest.raises(TypeError, match="max_steps"):
        weight_matching(spec, a, a, key=jax.random.key(0), max_steps=1.5)
