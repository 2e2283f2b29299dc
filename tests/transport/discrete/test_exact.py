"""Exact transport with general weights, with POT's network simplex and a linear program as its judges."""

import jax
import numpy as np
import ot
import pytest
from scipy.optimize import linprog

from geojax import Status, unwrap
from geojax.transport import assignment_cost, exact_transport, pairwise
from geojax.transport.costs import SquaredEuclidean
from geojax.transport.discrete.exact import _on_host, _through_host
from geojax.transport.discrete.network_simplex import network_simplex

N, M = 9, 7
solve = jax.jit(exact_transport)


def problem(seed, n=N, m=M):
    """Costs and weights; by turns plain, uniform, with weights of zero, with many equal costs, and of uneven size."""
    rng = np.random.default_rng(seed)
    cost, a, b = rng.normal(size=(n, m)), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    kind = seed % 5
    if kind == 1:
        a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    if kind == 2:
        a[: n // 3], b[1:2] = 0, 0
    if kind == 3:
        cost = rng.integers(0, 3, size=(n, m)).astype(float)
    if kind == 4:
        a, b = rng.dirichlet(np.full(n, 0.05)), rng.dirichlet(np.full(m, 0.05))
    return cost, a / a.sum(), b / b.sum()


def certified(result, cost, a, b, ulp):
    """What proves a plan optimal, with tolerances of some ulp of the mass and of the costs."""
    cost, a, b, plan, f, g = (
        np.asarray(v, np.float64) for v in (cost, a, b, result.plan, result.f, result.g)
    )
    size, scale, mass = sum(cost.shape), np.ptp(cost) + np.max(np.abs(cost)), a.sum()
    assert result.status == Status.CONVERGED
    assert np.all(plan >= 0) and np.count_nonzero(plan) < size
    np.testing.assert_allclose(plan.sum(1), a, atol=2 * size * ulp * mass)
    np.testing.assert_allclose(plan.sum(0), b, atol=2 * size * ulp * mass)
    assert np.min(cost - f[:, None] - g) >= -8 * ulp * scale
    assert abs(f @ a + g @ b - np.sum(plan * cost)) <= 8 * size * ulp * scale * mass
    assert 0 <= result.error <= 8 * size * ulp * scale * mass


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_matches_pot_and_is_certified(dtype):
    for seed in range(15):
        cost, a, b = (v.astype(dtype) for v in problem(seed))
        result = solve(cost, a, b)
        assert result.plan.dtype == result.cost.dtype == result.f.dtype == dtype
        wide = [v.astype(np.float64) for v in (a, b, cost)]
        ulp = np.finfo(dtype).eps
        want = ot.emd2(wide[0], wide[1] * wide[0].sum() / wide[1].sum(), wide[2])
        np.testing.assert_allclose(result.cost, want, atol=16 * ulp * np.max(np.abs(cost)))
        certified(result, cost, a, b, ulp)


def test_law_certificates_of_random_problems_of_every_size():
    """Plan and potentials together prove optimality, so no judge is needed; POT fails on some of one row or column."""
    for seed in range(300):
        n, m = np.random.default_rng(1000 + seed).integers(1, 24, size=2)
        cost, a, b = problem(seed, n, m)
        found = network_simplex(cost, a, b)
        assert found.finished
        np.testing.assert_allclose(found.plan.sum(1), a, atol=1e-15)
        np.testing.assert_allclose(found.plan.sum(0), b, atol=1e-15)
        assert np.min(found.plan) >= 0
        assert np.min(cost - found.f[:, None] - found.g) >= -1e-13
        gap = np.sum(found.plan * cost) - found.f @ a - found.g @ b
        assert abs(gap) <= 1e-12


@pytest.mark.full
def test_matches_a_linear_program():
    cost, a, b = problem(0, 6, 5)
    rows, columns = np.kron(np.eye(6), np.ones(5)), np.kron(np.ones(6), np.eye(5))
    found = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([a, b]))
    np.testing.assert_allclose(exact_transport(cost, a, b).cost, found.fun, rtol=1e-9)


@pytest.mark.full
def test_equal_weights_are_an_assignment():
    cost = np.random.default_rng(3).normal(size=(40, 40))
    result = unwrap(exact_transport(cost))
    np.testing.assert_allclose(result.cost, assignment_cost(cost) / 40, rtol=1e-12)
    np.testing.assert_allclose(np.sort(result.plan, axis=None)[-40:], 1 / 40)


@pytest.mark.full
@pytest.mark.parametrize("scale, shift", [(1e-30, 0.0), (1e30, 0.0), (1.0, 1e4)])
def test_units_of_the_costs_do_not_matter(scale, shift):
    cost, a, b = problem(5)
    plain, moved = exact_transport(cost, a, b), exact_transport(scale * cost + shift, a, b)
    np.testing.assert_allclose(moved.plan, plain.plan, atol=1e-15)
    np.testing.assert_allclose((moved.cost - shift) / scale, plain.cost, atol=1e-11)
    heavy = exact_transport(cost, 1e6 * a, 1e6 * b)
    np.testing.assert_allclose(heavy.cost, 1e6 * plain.cost, rtol=1e-12)


@pytest.mark.full
def test_gradients_are_the_plan_and_the_potentials():
    cost, a, b = problem(5)
    rng = np.random.default_rng(8)
    moves = rng.normal(size=cost.shape), rng.normal(size=N), rng.normal(size=M)
    moves = moves[0], *(0.1 * (move - move.mean()) for move in moves[1:])
    value = jax.jit(lambda *data: exact_transport(*data).cost)
    slopes = jax.jit(jax.grad(value, (0, 1, 2)))(cost, a, b)
    h = 1e-6
    ahead, behind = (value(*(v + s * h * d for v, d in zip((cost, a, b), moves))) for s in (1, -1))
    slope = sum(np.vdot(g, d) for g, d in zip(slopes, moves))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * h), rtol=1e-7)
    np.testing.assert_allclose(slopes[0], exact_transport(cost, a, b).plan, atol=1e-15)


@pytest.mark.full
def test_one_call_solves_a_stack_with_shared_weights():
    _, a, b = problem(0)
    stack = np.random.default_rng(1).normal(size=(2, 3, N, M))
    many = jax.vmap(jax.vmap(lambda c: exact_transport(c, a, b)))
    found = jax.jit(many)(stack)
    text = str(jax.make_jaxpr(many)(stack))
    assert text.count("buffer_callback[") == 1
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(found.cost[place], ot.emd2(a, b, stack[place]), rtol=1e-12)


@pytest.mark.full
def test_the_way_through_the_host_that_accelerators_take():
    _, a, b = problem(0)
    stack = np.random.default_rng(1).normal(size=(3, N, M))
    here, there = (jax.jit(jax.vmap(way, (0, None, None)))(stack, a, b) for way in (_on_host, _through_host))
    jax.tree.map(np.testing.assert_array_equal, here, there)


@pytest.mark.full
def test_hundreds_of_points_match_pot():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 2))
    a, b = rng.dirichlet(np.ones(300)), rng.dirichlet(np.ones(300))
    cost = np.asarray(pairwise(SquaredEuclidean(), x, y))
    np.testing.assert_allclose(unwrap(exact_transport(cost, a, b)).cost, ot.emd2(a, b, cost), rtol=1e-12)


def test_bad_input_has_a_status_and_no_numbers():
    cost, a, b = problem(0)
    broken, infinite = cost.copy(), cost.copy()
    broken[0, 0], infinite[0, 0] = np.nan, np.inf
    for data, status in (
        ((broken, a, b), Status.NONFINITE),
        ((infinite, a, b), Status.NONFINITE),
        ((cost, a, 1.1 * b), Status.INFEASIBLE),
        ((cost, -a, -b), Status.INFEASIBLE),
        ((cost, 0 * a, 0 * b), Status.INFEASIBLE),
        ((cost, a - 0.2, b - 0.2 * N / M), Status.INFEASIBLE),
    ):
        result = solve(*data)
        assert result.status == status
        assert all(np.all(np.isnan(v)) for v in (result.plan, result.cost, result.f, result.g, result.error))


@pytest.mark.full
def test_float32_weights_may_differ_by_their_rounding():
    rng = np.random.default_rng(0)
    a, b = (rng.dirichlet(np.ones(2000)).astype(np.float32) for _ in range(2))
    cost = rng.normal(size=(40, 50))
    a, b = a[:40] / a[:40].sum(), b[:50] / b[:50].sum()
    assert exact_transport(cost, a, b).status == Status.CONVERGED
    with pytest.raises(ValueError, match="shape"):
        exact_transport(cost, a[:3], b)
