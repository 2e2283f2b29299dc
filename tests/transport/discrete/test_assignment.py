"""Laws of the exact assignment, and scipy and brute force as its judges."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec
from scipy.optimize import linear_sum_assignment

from geojax.transport import assignment, assignment_cost
from geojax.transport.discrete.augmenting_path import shortest_augmenting_path

ENGINES = pytest.mark.parametrize("solve", [assignment, shortest_augmenting_path], ids=["public", "device"])


def cost_of(cost, perm):
    """The costs of assignments, [...], by numpy."""
    cost, perm = np.asarray(cost), np.asarray(perm)
    return np.take_along_axis(cost, perm[..., None], axis=-1).sum((-1, -2))


def is_injective(perm, num_columns):
    perm = np.asarray(perm)
    return np.all((perm >= 0) & (perm < num_columns)) and len(np.unique(perm)) == len(perm)


def families(rng, n, m):
    """Costs of the kinds that matter: noise, distances, near permutations, ties, duplicates, integers."""
    points = rng.normal(size=(2, max(n, m), 3))
    duplicate = rng.normal(size=(n, m))
    duplicate[n // 2] = duplicate[0]
    return {
        "normal": rng.normal(size=(n, m)),
        "distances": np.linalg.norm(points[0, :n, None] - points[1, None, :m], axis=-1),
        "easy": rng.normal(size=(n, m)) - 6 * np.eye(m)[rng.permutation(m)[:n]],
        "ties": rng.integers(0, 3, size=(n, m)).astype(float),
        "constant": np.full((n, m), 2.5),
        "duplicates": duplicate,
        "huge": 1e300 * rng.normal(size=(n, m)),
        "tiny": 1e-300 * rng.normal(size=(n, m)),
    }


@ENGINES
@pytest.mark.parametrize(
    "shape",
    [
        (6, 6),
        (3, 6),
        *(pytest.param(shape, marks=pytest.mark.full) for shape in ((1, 1), (2, 2), (4, 4), (7, 7), (1, 5))),
    ],
)
def test_matches_brute_force(solve, shape):
    n, m = shape
    maps = np.array(list(itertools.permutations(range(m), n)))
    costs = np.random.default_rng(0).normal(size=(64, n, m))
    costs = np.concatenate([costs, np.round(costs)])  # the second half is full of ties
    perms = jax.jit(jax.vmap(solve))(costs)
    best = [cost[np.arange(n), maps].sum(1).min() for cost in costs]
    assert all(is_injective(perm, m) for perm in perms)
    np.testing.assert_allclose(cost_of(costs, perms), best, rtol=0, atol=1e-12)


@ENGINES
@pytest.mark.parametrize(
    "shape",
    [(40, 63), *(pytest.param(shape, marks=pytest.mark.full) for shape in ((5, 5), (40, 40), (200, 200)))],
)
def test_matches_scipy(solve, shape):
    for name, cost in families(np.random.default_rng(1), *shape).items():
        rows, columns = linear_sum_assignment(cost)
        perm = jax.jit(solve)(jnp.asarray(cost))
        assert is_injective(perm, shape[1]), name
        scale = np.abs(cost).max()
        got, expected = cost_of(cost / scale, perm), (cost[rows, columns] / scale).sum()
        np.testing.assert_allclose(got, expected, rtol=0, atol=shape[0] * 1e-15, err_msg=name)


@pytest.mark.full
@ENGINES
def test_matches_scipy_in_single_precision(solve):
    for name, cost in families(np.random.default_rng(2), 100, 100).items():
        if name in ("huge", "tiny"):
            cost = cost * (1e-263 if name == "huge" else 1e263)  # 1e37 and 1e-37: the ends of float32
        cost = cost.astype(np.float32)
        rows, columns = linear_sum_assignment(cost)
        perm = jax.jit(solve)(jnp.asarray(cost))
        assert is_injective(perm, 100), name
        scale = np.abs(cost).max()
        got, expected = cost_of(cost.astype(float), perm), cost[rows, columns].astype(float).sum()
        # The device engine works in float32: its prices are off by at most an ulp of the largest cost a step.
        slack = 0 if solve is assignment else 100 * float(jnp.finfo(jnp.float32).eps)
        assert got <= expected + (slack + 1e-12) * scale, name


def test_integer_costs():
    cost = np.random.default_rng(3).integers(-50, 50, size=(30, 30))
    perm, value = jax.jit(lambda cost: (assignment(cost), assignment_cost(cost)))(cost)
    rows, columns = linear_sum_assignment(cost)
    assert perm.dtype == jnp.int32
    assert cost_of(cost, perm) == cost[rows, columns].sum()
    assert value == cost[rows, columns].sum()


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_dtypes(dtype):
    cost = np.random.default_rng(4).normal(size=(9, 12)).astype(dtype)
    _, columns = linear_sum_assignment(np.asarray(cost, np.float64))
    np.testing.assert_array_equal(jax.jit(assignment)(cost), columns)
    assert jax.eval_shape(assignment_cost, cost).dtype == (
        jnp.float64 if dtype == jnp.float64 else jnp.float32
    )


@pytest.mark.full
@ENGINES
def test_law_invariance_under_prices_and_relabelling(solve):
    """Adding a price to a row or a column moves no optimum; relabelling both sides relabels the answer."""

    def law(key):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        cost = jax.random.normal(k1, (8, 8))
        perm = solve(cost)
        priced = solve(cost + jax.random.normal(k2, (8, 1)) + jax.random.normal(k3, (1, 8)))
        rows = jax.random.permutation(k4, 8)
        return jnp.all(priced == perm) & jnp.all(solve(cost[rows]) == perm[rows])

    assert jnp.all(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(5), 64)))


def test_convention_recovers_a_planted_permutation():
    """new[i] = old[perm[i]]: matching new to old by distance returns perm itself."""
    rng = np.random.default_rng(6)
    planted, old = rng.permutation(50), rng.normal(size=(50, 4))
    cost = np.sum((old[planted][:, None] - old) ** 2, axis=-1)
    np.testing.assert_array_equal(assignment(cost), planted)


@ENGINES
def test_forbidden_pairs(solve):
    solve, value = jax.jit(solve), jax.jit(assignment_cost)
    rng = np.random.default_rng(8)
    for _ in range(20):
        cost = rng.normal(size=(8, 9))
        cost[rng.random(size=cost.shape) < 0.6] = np.inf
        try:
            rows, columns = linear_sum_assignment(cost)
        except ValueError:
            np.testing.assert_array_equal(solve(jnp.asarray(cost)), -1)
            assert value(cost) == np.inf
        else:
            got = cost_of(cost, solve(jnp.asarray(cost)))
            np.testing.assert_allclose(got, cost[rows, columns].sum())


@jax.jit
@jax.vmap
def assignment_and_slopes(cost):
    return assignment(cost), *jax.value_and_grad(assignment_cost)(cost)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_unusable_costs_have_a_defined_result(bad):
    cost = np.ones((2, 3, 3))
    cost[1, 2, 0] = bad
    perms, values, slopes = map(np.asarray, assignment_and_slopes(cost))
    assert np.all(perms[0] >= 0)
    np.testing.assert_array_equal(perms[1], -1)
    assert values[0] == 3
    assert np.isnan(values[1])
    assert np.all(np.isfinite(slopes))


def test_empty():
    @jax.jit
    def of_empty():
        each = jax.vmap(assignment)
        return (
            assignment(jnp.zeros((0, 4))),
            assignment_cost(jnp.zeros((0, 0))),
            each(jnp.zeros((5, 0, 4))),
            each(jnp.zeros((0, 4, 4))),
        )

    alone, value, no_rows, no_problems = of_empty()
    assert alone.shape == (0,)
    assert value == 0
    assert no_rows.shape == (5, 0)
    assert no_problems.shape == (0, 4)


@pytest.mark.full
@ENGINES
def test_jit_vmap_scan_and_shard_map_agree(solve):
    costs = jax.random.normal(jax.random.key(9), (8, 2, 11, 13))
    expected = np.stack([[linear_sum_assignment(c)[1] for c in pair] for pair in np.asarray(costs)])
    np.testing.assert_array_equal(solve(costs[0, 0]), expected[0, 0])
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.vmap(solve)))(costs), expected)
    np.testing.assert_array_equal(jax.vmap(jax.jit(jax.vmap(solve)))(costs), expected)
    np.testing.assert_array_equal(jax.lax.map(jax.vmap(solve), costs), expected)
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,))
    batch = PartitionSpec("batch")
    sharded = jax.shard_map(jax.vmap(jax.vmap(solve)), mesh=mesh, in_specs=batch, out_specs=batch)
    result = jax.jit(sharded)(costs)
    np.testing.assert_array_equal(result, expected)
    assert result.sharding.spec == batch


@pytest.mark.full
def test_concurrent_large_problems_do_not_deadlock():
    """Four devices call the host at once, each with operands too large to be copied inline."""
    costs = jax.random.normal(jax.random.key(10), (8, 256, 256), jnp.float32)
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,))
    batch = PartitionSpec("batch")
    sharded = jax.jit(jax.shard_map(jax.vmap(assignment), mesh=mesh, in_specs=batch, out_specs=batch))
    for _ in range(5):
        perms = sharded(costs)
    np.testing.assert_array_equal(perms[3], linear_sum_assignment(costs[3])[1])


def test_one_host_call_serves_a_batch():
    jaxpr = str(jax.make_jaxpr(jax.vmap(jax.vmap(assignment)))(jnp.zeros((3, 5, 4, 6))))
    calls = [line for line in jaxpr.splitlines() if "= buffer_callback[" in line]
    assert len(calls) == 1
    assert "i32[3,5,4]" in calls[0]


@pytest.mark.full
@pytest.mark.parametrize("shape", [(6, 6), (4, 7)])
def test_gradient_matches_finite_differences(shape):
    cost = jax.random.normal(jax.random.key(11), shape)
    gradient = jax.jit(jax.grad(assignment_cost))(cost)
    direction = jax.random.normal(jax.random.key(12), shape)
    step = 1e-6
    ahead, behind = (assignment_cost(cost + sign * step * direction) for sign in (1, -1))
    central = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(jnp.vdot(gradient, direction), central, rtol=1e-8)
    matrix = jnp.zeros(shape).at[jnp.arange(shape[0]), assignment(cost)].set(1)
    np.testing.assert_array_equal(gradient, matrix)


def test_gradient_of_the_selected_costs():
    """The permutation is constant, so a gather of other costs has the gradient of the gather."""
    cost, other = np.random.default_rng(13).normal(size=(2, 5, 5))

    def value(cost, other):
        return jnp.sum(jnp.take_along_axis(other, assignment(cost)[:, None], axis=1))

    by_cost, by_other = jax.jit(jax.grad(value, (0, 1)))(cost, other)
    np.testing.assert_array_equal(by_cost, 0)
    assert np.sum(by_other) == 5


@pytest.mark.full
def test_law_concave_in_the_costs():
    def law(key):
        first, second = jax.random.normal(key, (2, 7, 7))
        middle = assignment_cost((first + second) / 2)
        return middle >= (assignment_cost(first) + assignment_cost(second)) / 2 - 1e-12

    assert jnp.all(jax.jit(jax.vmap(law))(jax.random.split(jax.random.key(14), 64)))


def test_errors_say_how_to_mend_the_call():
    with pytest.raises(ValueError, match=r"cost_matrix.*\[3, 2\].*cost_matrix\.T"):
        assignment(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"cost_matrix.*vmap"):
        assignment(np.zeros((2, 3, 3)))
    with pytest.raises(TypeError, match=r"cost_matrix.*complex"):
        assignment(np.zeros((3, 3), complex))
