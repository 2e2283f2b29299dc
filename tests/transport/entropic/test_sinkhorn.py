"""Laws of entropic transport, with ott, POT and exact transport as its judges."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from jax.test_util import check_grads
from ott.geometry import geometry
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn

from geojax import Status
from geojax.transport import assignment_cost, sinkhorn, sinkhorn_newton, unbalanced_sinkhorn


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def clouds(key, n, m, dtype=jnp.float64):
    """Squared distances between two clouds, and random weights."""
    keys = jax.random.split(key, 4)
    x, y = jax.random.normal(keys[0], (n, 3), dtype), jax.random.normal(keys[1], (m, 3), dtype) + 0.5
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    return cost, *(jax.nn.softmax(jax.random.normal(k, (s,), dtype)) for k, s in zip(keys[2:], (n, m)))


def marginal_error(result):
    rows, columns = result.plan.sum(1) - result.a, result.plan.sum(0) - result.b
    return jnp.sum(jnp.abs(rows)) + jnp.sum(jnp.abs(columns))


@pytest.mark.parametrize(
    "ratio", [0.05, pytest.param(1.0, marks=pytest.mark.full), pytest.param(0.02, marks=pytest.mark.full)]
)
def test_matches_pot_and_ott(ratio):
    cost, a, b = clouds(jax.random.key(0), 60, 45)
    epsilon = ratio * float(np.mean(cost))
    solve = jax.jit(lambda e: (r := sinkhorn(cost, a, b, epsilon=e, tol=1e-11, max_steps=20000), r.plan))
    result, ours = solve(epsilon)
    assert result.status == Status.CONVERGED
    plan = ot.sinkhorn(
        np.array(a), np.array(b), np.array(cost), epsilon, "sinkhorn_log", 100_000, stopThr=1e-12
    )
    np.testing.assert_allclose(ours, plan, atol=1e-9)
    problem = linear_problem.LinearProblem(geometry.Geometry(cost, epsilon=epsilon), a, b)
    peer = jax.jit(ott_sinkhorn.Sinkhorn(threshold=1e-11, max_iterations=100_000))(problem)
    np.testing.assert_allclose(result.cost, peer.reg_ot_cost, rtol=1e-9)


@pytest.mark.full
def test_law_optimality_and_duality():
    """Marginals are met to `error`, the cost is the primal value, and the gauge is <f, a> = 0."""

    @jax.jit
    @jax.vmap
    def law(key):
        cost, a, b = clouds(key, 9, 12)
        r = sinkhorn(cost, a, b, epsilon=0.3, tol=1e-11)
        primal = jnp.sum(r.plan * cost) + 0.3 * jnp.sum(r.plan * jnp.log(r.plan / (a[:, None] * b)))
        return marginal_error(r), r.error, primal - r.cost, jnp.vdot(r.f, a), r.status

    measured, claimed, gap, gauge, status = law(jax.random.split(jax.random.key(1), 64))
    assert jnp.all(status == Status.CONVERGED)
    assert jnp.all(measured <= claimed + 1e-13)
    np.testing.assert_allclose(gap, 0, atol=1e-9)
    np.testing.assert_allclose(gauge, 0, atol=1e-12)


@pytest.mark.full
def test_law_prices_and_relabelling():
    """Adding r_i + c_j to the costs moves the potentials by it and no mass; relabelling relabels."""

    @jax.jit
    @jax.vmap
    def law(key):
        cost, a, b = clouds(key, 7, 6)
        k1, k2, k3 = jax.random.split(key, 3)
        r, c = jax.random.normal(k1, (7, 1)), jax.random.normal(k2, (1, 6))
        order = jax.random.permutation(k3, 7)
        solve = lambda cost, a: sinkhorn(cost, a, b, epsilon=0.4, tol=1e-12)
        base, priced, relabelled = solve(cost, a), solve(cost + r + c, a), solve(cost[order], a[order])
        moved = priced.cost - base.cost - (r[:, 0] @ a + c[0] @ b)
        return priced.plan - base.plan, moved, relabelled.plan - base.plan[order]

    for difference in law(jax.random.split(jax.random.key(2), 64)):
        np.testing.assert_allclose(difference, 0, atol=1e-10)


@pytest.mark.full
def test_small_epsilon_approaches_the_exact_cost():
    """0 <= <P, C> - exact <= epsilon * (entropy of the plan at most log n)."""
    cost, _, _ = clouds(jax.random.key(3), 30, 30)
    uniform = jnp.full(30, 1 / 30)
    exact = assignment_cost(cost) / 30
    for epsilon in (0.1, 0.03, 0.01):
        result = sinkhorn(cost, uniform, uniform, epsilon=epsilon, tol=1e-6, max_steps=30000)
        gap = jnp.sum(result.plan * cost) - exact
        misplaced = result.error * jnp.max(cost)
        assert result.error < 1e-4
        assert -misplaced <= gap <= epsilon * np.log(30) + misplaced


@pytest.mark.full
def test_zero_weights_are_the_problem_without_these_points():
    cost, a, b = clouds(jax.random.key(4), 6, 5)
    a, b = a.at[jnp.array([1, 4, 5])].set(0), b.at[jnp.array([0, 2])].set(0)
    a, b = a / a.sum(), b / b.sum()
    whole = sinkhorn(cost, a, b, epsilon=0.2, tol=1e-12)
    both = np.ix_(np.array(a > 0), np.array(b > 0))
    part = sinkhorn(cost[both], a[a > 0], b[b > 0], epsilon=0.2, tol=1e-12)
    assert whole.status == Status.CONVERGED
    np.testing.assert_allclose(whole.cost, part.cost, atol=1e-11)
    np.testing.assert_allclose(whole.plan[both], part.plan, atol=1e-11)
    assert jnp.all(whole.plan[a == 0] == 0)
    assert jnp.all(whole.plan[:, b == 0] == 0)
    assert jnp.all(jnp.isfinite(whole.f)) & jnp.all(jnp.isfinite(whole.g))
    # Off the support the row potential is the soft c-transform of the other.
    extended = -0.2 * jax.scipy.special.logsumexp((whole.g - cost) / 0.2, axis=1, b=b)
    np.testing.assert_allclose(whole.f, extended, atol=1e-10)


@pytest.mark.full
def test_gradients_of_all_outputs_to_second_order():
    cost, a, b = clouds(jax.random.key(5), 5, 4)

    def solve(cost, log_a, log_b, epsilon):
        return sinkhorn(cost, jax.nn.softmax(log_a), jax.nn.softmax(log_b), epsilon=epsilon, tol=1e-13)

    def outputs(*arguments):
        r = solve(*arguments)
        return jnp.sum(jnp.sin(7 * r.plan)) + jnp.sum(r.f**2) + jnp.sum(jnp.cos(r.g))

    arguments = (cost, jnp.log(a), jnp.log(b), jnp.asarray(0.5))
    check_grads(jax.jit(lambda *x: solve(*x).cost), arguments, order=2, eps=1e-4, rtol=1e-5, atol=1e-6)
    check_grads(jax.jit(outputs), arguments, order=2, eps=1e-4, rtol=1e-4, atol=1e-5)


@pytest.mark.full
def test_envelope_gradient_is_the_plan_and_the_potentials():
    cost, a, b = clouds(jax.random.key(6), 8, 8)
    result = sinkhorn(cost, a, b, epsilon=0.3, tol=1e-12)
    value = lambda cost, a, b: sinkhorn(cost, a, b, epsilon=0.3, tol=1e-12).cost
    by_cost, by_a, by_b = jax.grad(value, (0, 1, 2))(cost, a, b)
    np.testing.assert_allclose(by_cost, result.plan, atol=1e-12)
    np.testing.assert_allclose(by_a, result.f, atol=1e-12)
    np.testing.assert_allclose(by_b, result.g, atol=1e-12)


@pytest.mark.full
def test_gradients_are_finite_and_right_at_zero_weights():
    cost, a, b = clouds(jax.random.key(7), 5, 4)
    a = jnp.array([0.5, 0.0, 0.2, 0.3, 0.0])
    b = b.at[1].set(0) / (1 - b[1])
    direction = jnp.array([-0.3, 0.5, -0.2, 0.0, 0.0])  # into the simplex

    def potentials(t):
        r = sinkhorn(cost, a + t * direction, b, epsilon=0.5, tol=1e-13)
        return jnp.concatenate([r.f, r.g])

    _, derivative = jax.jvp(potentials, (0.0,), (1.0,))
    step = 1e-5
    one_sided = (-3 * potentials(0.0) + 4 * potentials(step) - potentials(2 * step)) / (2 * step)
    np.testing.assert_allclose(derivative, one_sided, rtol=1e-4, atol=1e-5)
    gradients = jax.grad(lambda *x: jnp.sum(sinkhorn(*x, epsilon=0.5).f ** 2), (0, 1, 2))(cost, a, b)
    assert all(jnp.all(jnp.isfinite(g)) for g in gradients)


@pytest.mark.full
@pytest.mark.parametrize("ratio", [1e-2, 1e-3, 1e-4])
def test_tiny_epsilon_in_single_precision_is_honest(ratio):
    cost, a, b = clouds(jax.random.key(8), 80, 90, jnp.float32)
    solve = jax.jit(lambda e: sinkhorn(cost, a, b, epsilon=e, max_steps=500))
    result = solve(jnp.float32(ratio) * jnp.mean(cost))
    for leaf in (result.f, result.g, result.cost, result.plan):
        assert jnp.all(jnp.isfinite(leaf))
    assert (result.status == Status.CONVERGED) == (result.error <= 1e-6)
    if ratio < 1e-2:
        assert (result.status, result.num_steps) == (Status.MAX_STEPS, 500)
    # The potentials in float32 resolve the plan to an ulp of the cost over epsilon.
    rounding = 4 * jnp.finfo(jnp.float32).eps * jnp.max(cost) / result.epsilon
    assert marginal_error(result) <= result.error + rounding


@pytest.mark.full
def test_potentials_far_apart_do_not_underflow():
    """Clusters at distances of thousands of epsilon: kernels of zeros for anyone who starts from zero."""
    x = jnp.array([0.0, 1.0, 100.0, 101.0], jnp.float32)
    y = jnp.array([0.5, 1.5, 1000.0, 1001.0], jnp.float32)
    cost, uniform = (x[:, None] - y) ** 2, jnp.full(4, 0.25, jnp.float32)
    result = sinkhorn(cost, uniform, uniform, epsilon=100.0, tol=1e-5)
    assert result.error < 1e-2
    rounding = 4 * jnp.finfo(jnp.float32).eps * jnp.max(cost) / result.epsilon
    exact = assignment_cost(cost) / 4
    np.testing.assert_allclose(jnp.sum(result.plan * cost), exact, rtol=float(rounding + 2 * result.error))


@pytest.mark.full
def test_warm_start_and_annealing_reach_the_same_answer():
    cost, a, b = clouds(jax.random.key(9), 50, 50)
    options = {"epsilon": 0.05 * jnp.mean(cost), "tol": 1e-10, "max_steps": 20000}
    cold = sinkhorn(cost, a, b, **options)
    warm = sinkhorn(cost, a, b, **options, init=(cold.f, cold.g))
    annealed = sinkhorn(cost, a, b, **options, start_epsilon=jnp.mean(cost))
    assert warm.num_steps <= 2 < cold.num_steps
    assert annealed.status == Status.CONVERGED
    np.testing.assert_allclose(warm.plan, cold.plan, atol=1e-9)
    np.testing.assert_allclose(annealed.plan, cold.plan, atol=1e-9)


def test_annealing_cut_short_is_not_converged():
    cost, a, b = clouds(jax.random.key(9), 5, 5)
    solve = functools.partial(sinkhorn, epsilon=0.01, tol=0.5, max_steps=6, start_epsilon=100.0)
    result = jax.jit(solve)(cost, a, b)
    assert result.status == Status.MAX_STEPS


@pytest.mark.full
def test_epsilon_is_traced():
    cost, a, b = clouds(jax.random.key(10), 8, 9)
    epsilons = jnp.array([0.2, 0.5, 2.0])
    batched = jax.vmap(lambda e: sinkhorn(cost, a, b, epsilon=e, tol=1e-10))(epsilons)
    for i, epsilon in enumerate(epsilons):
        one = sinkhorn(cost, a, b, epsilon=epsilon, tol=1e-10)
        np.testing.assert_allclose(batched.cost[i], one.cost, rtol=1e-9)
        assert batched.num_steps[i] == one.num_steps


@pytest.mark.full
@pytest.mark.parametrize(
    "solve",
    [
        lambda c, a, b: sinkhorn(c, a, b, epsilon=0.5, start_epsilon=1.0, init=(a, b)).cost,
        lambda c, a, b: sinkhorn_newton(c, a, b, epsilon=0.5, max_sinkhorn_steps=3).cost,
        lambda c, a, b: unbalanced_sinkhorn(c, a, b, epsilon=0.5, rho_a=1.0, rho_b=2.0).cost,
    ],
    ids=["sinkhorn", "newton", "unbalanced"],
)
def test_sharded_costs_meet_replicated_weights(solve):
    cost, a, b = clouds(jax.random.key(15), 5, 6)
    costs = jnp.stack([cost + k for k in range(4)])
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    batch = jax.sharding.PartitionSpec("batch")
    each = jax.vmap(jax.value_and_grad(lambda c: solve(c, a, b)))
    sharded = jax.jit(jax.shard_map(each, mesh=mesh, in_specs=batch, out_specs=batch))(costs)
    for got, want in zip(sharded, jax.jit(each)(costs)):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_any_common_mass():
    cost, a, b = map(np.asarray, clouds(jax.random.key(11), 5, 5))

    @jax.jit
    def solve(cost, a, b, tol):
        result = sinkhorn(cost, a, b, epsilon=0.3, tol=tol)
        return result.plan, result.cost

    (plan, value), (plan_of_seven, value_of_seven) = (
        map(np.asarray, solve(cost, k * a, k * b, tol)) for k, tol in ((1, 1e-12), (7, 1e-11))
    )
    np.testing.assert_allclose(plan_of_seven, 7 * plan, atol=1e-10)
    # KL is measured against the product of the weights, of mass 49.
    np.testing.assert_allclose(value_of_seven, 7 * (value - 0.3 * np.log(7)), rtol=1e-9)


def placed(array, index, value):
    """A copy of an array with another value in one place."""
    array = np.array(array)
    array[index] = value
    return array


@jax.jit
def status_of(cost, a, b, epsilon):
    return sinkhorn(cost, a, b, epsilon=epsilon).status


@pytest.mark.parametrize(
    "name, change, status",
    [
        ("negative weight", lambda c, a, b, e: (c, placed(a, 0, -a[0]), b, e), Status.INFEASIBLE),
        ("sums differ", lambda c, a, b, e: (c, 2 * a, b, e), Status.INFEASIBLE),
        ("no mass", lambda c, a, b, e: (c, 0 * a, 0 * b, e), Status.INFEASIBLE),
        ("epsilon zero", lambda c, a, b, e: (c, a, b, 0.0), Status.INFEASIBLE),
        ("epsilon negative", lambda c, a, b, e: (c, a, b, -e), Status.INFEASIBLE),
        ("cost nan", lambda c, a, b, e: (placed(c, (1, 2), np.nan), a, b, e), Status.NONFINITE),
        ("cost infinite", lambda c, a, b, e: (placed(c, (1, 2), np.inf), a, b, e), Status.NONFINITE),
        ("weight nan", lambda c, a, b, e: (c, placed(a, 1, np.nan), b, e), Status.NONFINITE),
        ("epsilon nan", lambda c, a, b, e: (c, a, b, np.nan), Status.NONFINITE),
        ("a cost above all others", lambda c, a, b, e: (placed(c, (1, 2), 1e30), a, b, e), Status.CONVERGED),
    ],
)
def test_bad_input_has_a_status(name, change, status):
    cost, a, b = map(np.asarray, clouds(jax.random.key(12), 5, 5))
    assert status_of(*change(cost, a, b, 0.5)) == status


def test_no_steps_is_not_converged():
    cost, a, b = clouds(jax.random.key(13), 5, 5)
    result = jax.jit(functools.partial(sinkhorn, epsilon=0.5, max_steps=0))(cost, a, b)
    assert (result.status, result.num_steps) == (Status.MAX_STEPS, 0)


@pytest.mark.full
def test_extreme_shapes():
    one = jnp.ones(1)
    point = sinkhorn(jnp.full((1, 1), 3.0), one, one, epsilon=0.1)
    np.testing.assert_allclose(point.cost, 3.0)
    line = sinkhorn(jnp.arange(4.0)[None], one, jnp.full(4, 0.25), epsilon=0.1)
    np.testing.assert_allclose(line.plan, 0.25)
    np.testing.assert_allclose(line.cost, 1.5)


def test_errors_name_the_argument():
    cost, a, b = np.ones((5, 4)), np.full(5, 0.2), np.full(4, 0.25)
    with pytest.raises(ValueError, match=r"sinkhorn: b has shape \[5\]"):
        sinkhorn(cost, a, a, epsilon=1.0)
    with pytest.raises(ValueError, match=r"cost_matrix has shape \[0, 4\].*empty"):
        sinkhorn(cost[:0], a[:0], b, epsilon=1.0)
    with pytest.raises(ValueError, match="init_g"):
        sinkhorn(cost, a, b, epsilon=1.0, init=(a, a))
    with pytest.raises(TypeError, match="max_steps"):
        jax.jit(lambda k: sinkhorn(cost, a, b, epsilon=1.0, max_steps=k))(3)


@pytest.mark.full
@pytest.mark.x32
def test_an_error_that_rounding_holds_up_ends_the_loop_early():
    """float32 cannot reach 1e-9; the loop sees that, and rounding is the tolerance that counts."""
    x = jax.random.normal(jax.random.key(0), (2, 64, 2), jnp.float32)
    cost = jnp.sum((x[0][:, None] - x[1]) ** 2, axis=-1)
    weights = jnp.full(64, 1 / 64, jnp.float32)
    result = sinkhorn(cost, weights, weights, epsilon=0.5, tol=1e-9, max_steps=20000)
    assert result.status == Status.CONVERGED
    assert result.num_steps < 500
    assert result.error < 1e-6
    better = sinkhorn(cost, weights, weights, epsilon=0.5, tol=5e-6)
    assert better.status == Status.CONVERGED


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_annealing_to_a_small_epsilon_ends_at_its_own_solution(dtype):
    """Halving epsilon leaves nothing of the larger one: neither potentials above the costs, nor an error of old."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    cost = ((x[:, None] - x - 5) ** 2).sum(-1).astype(dtype)
    solve = jax.jit(lambda epsilon, first: sinkhorn(cost, epsilon=epsilon, start_epsilon=first))
    for first in (100.0, 10.0, 1.0):
        for epsilon in (1e-1, 1e-2, 1e-3, 1e-4):
            result = solve(epsilon, first)
            assert np.isfinite(result.error) and result.error < 1e-3
            within = sinkhorn(((x[:, None] - x) ** 2).sum(-1), epsilon=epsilon).cost
            np.testing.assert_allclose(result.cost, 50 + within, rtol=1e-5)
        plan = np.asarray(sinkhorn(cost.astype(float), epsilon=1e-4, start_epsilon=first).plan)
        np.testing.assert_allclose(plan, np.eye(50) / 50, atol=1e-3)


@pytest.mark.full
@pytest.mark.x32
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_points_off_the_origin_converge_in_single_precision(scale):
    """Costs of some hundred epsilons are known to some parts in 1e5 of epsilon: that counts, and is reached early."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    for shift in (0, 5):
        cost = (scale * ((x[:, None] - x - shift) ** 2).sum(-1)).astype(np.float32)
        result = sinkhorn(cost, epsilon=0.5 * scale)
        assert result.status == Status.CONVERGED
        assert result.num_steps < 1000
        assert result.error < 1e-4
