"""Unbalanced transport at every price: steps, fixed points, the balanced limit, both precisions."""

import jax
import numpy as np
import pytest
from scipy.special import logsumexp

from geojax import Status
from geojax.transport import sinkhorn, unbalanced_sinkhorn

N, M = 30, 25
PRICES = (1.0, 1e2, 1e4, 1e6)  # in units of epsilon


def problem(seed, same_mass=True):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(N, 3)), rng.normal(size=(M, 3)) + 0.5
    a, b = rng.uniform(size=N), 2 * rng.uniform(size=M)
    cost = ((x[:, None] - y) ** 2).sum(-1)
    return (cost, a / a.sum(), b / b.sum()) if same_mass else (cost, a, b)


@jax.jit
def solve(cost, a, b, epsilon, rho_a, rho_b, tol):
    result = unbalanced_sinkhorn(cost, a, b, epsilon=epsilon, rho_a=rho_a, rho_b=rho_b, tol=tol)
    return result, result.plan


def plain(cost, a, b, epsilon, rho_a, rho_b, g, steps):
    """Iterations from a potential g as they are written in the paper, in numpy."""
    for _ in range(steps):
        f = -epsilon * logsumexp((g - cost) / epsilon + np.log(b), axis=1) / (1 + epsilon / rho_a)
        g = -epsilon * logsumexp((f[:, None] - cost) / epsilon + np.log(a)[:, None], axis=0)
        g = g / (1 + epsilon / rho_b)
    return f, g


@pytest.mark.parametrize("epsilon", [0.5, pytest.param(0.05, marks=pytest.mark.full)])
def test_the_number_of_steps_does_not_grow_with_the_price(epsilon):
    for same_mass in (True, False):
        data = problem(0, same_mass)
        balanced = sinkhorn(data[0], epsilon=epsilon).num_steps
        for price in PRICES:
            result, _ = solve(*data, epsilon, price * epsilon, 2 * price * epsilon, 1e-6)
            assert result.status == Status.CONVERGED
            assert result.num_steps <= 8 * balanced, price


def test_is_the_fixed_point_of_plain_iterations_at_every_price():
    """One plain iteration leaves the solution where it is; it moves other points by far more than this."""
    for same_mass in (True, False):
        cost, a, b = problem(1, same_mass)
        for price in PRICES:
            rho_a, rho_b = 0.5 * price, price
            result, _ = solve(cost, a, b, 0.5, rho_a, rho_b, 1e-12)
            f, g = plain(cost, a, b, 0.5, rho_a, rho_b, np.asarray(result.g), 1)
            np.testing.assert_allclose(f, result.f, rtol=1e-11, atol=1e-11)
            np.testing.assert_allclose(g, result.g, rtol=1e-11, atol=1e-11)


@pytest.mark.full
def test_matches_many_plain_iterations():
    cost, a, b = problem(2, same_mass=False)
    for price in (1.0, 1e2):
        result, _ = solve(cost, a, b, 0.5, 0.5 * price, price, 1e-12)
        f, g = plain(cost, a, b, 0.5, 0.5 * price, price, np.zeros(M), 20_000)
        np.testing.assert_allclose(f, result.f, atol=1e-9)
        np.testing.assert_allclose(g, result.g, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.full)])
def test_infinite_prices_are_balanced_transport(dtype):
    cost, a, b = (v.astype(dtype) for v in problem(3))
    ulp = np.finfo(dtype).eps
    hard = sinkhorn(cost, a, b, epsilon=0.5, tol=1e-9)
    soft, plan = solve(cost, a, b, 0.5, np.inf, np.inf, 1e-9)
    assert soft.status == hard.status == Status.CONVERGED
    for name in ("f", "g", "cost"):
        np.testing.assert_allclose(getattr(soft, name), getattr(hard, name), atol=1e-7 + 200 * ulp)
    np.testing.assert_allclose(plan, hard.plan, atol=1e-8 + 20 * ulp)
    assert solve(cost, a, 2 * b, 0.5, np.inf, np.inf, 1e-9)[0].status == Status.INFEASIBLE
    one, plan = solve(cost, a, 2 * b, 0.5, np.inf, 1.0, 1e-9)
    assert one.status == Status.CONVERGED
    np.testing.assert_allclose(plan.sum(1), a, atol=1e-8 + 20 * ulp)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_prices_tend_to_balanced_transport_in_both_precisions(dtype):
    cost, a, b = (v.astype(dtype) for v in problem(4))
    hard = sinkhorn(cost, a, b, epsilon=0.5, tol=1e-9)
    for price in (1e3, 1e5, 1e7):
        soft, plan = solve(cost, a, b, 0.5, price, price, 1e-6)
        assert soft.status == Status.CONVERGED
        assert soft.num_steps < 200
        np.testing.assert_allclose(plan, hard.plan, atol=20 / price / N + 1e-5)
        np.testing.assert_allclose(soft.cost, hard.cost, rtol=20 / price + 2e-6)


@pytest.mark.full
@pytest.mark.parametrize("price", [1.0, 1e2, 1e4, 1e6, np.inf])
def test_derivatives_at_every_price_match_differences(price):
    cost, a, b = problem(5)
    rng = np.random.default_rng(6)
    moves = rng.normal(size=cost.shape), 0.1 * a * rng.normal(size=N), 0.1 * b * rng.normal(size=M)
    moves = moves[0], *(move - w * move.sum() / w.sum() for move, w in zip(moves[1:], (a, b)))

    def outputs(cost, a, b, epsilon):
        result = unbalanced_sinkhorn(
            cost, a, b, epsilon=epsilon, rho_a=price, rho_b=2 * price, tol=1e-13, max_steps=10_000
        )
        return result.cost, result.plan

    run = jax.jit(outputs)
    data, dots = (cost, a, b, 0.5), (*moves, 1.0)
    _, got = jax.jit(lambda: jax.jvp(outputs, data, dots))()
    h = 1e-5
    ahead, behind = (run(*(v + s * h * d for v, d in zip(data, dots))) for s in (1, -1))
    for ours, up, down in zip(got, ahead, behind):
        np.testing.assert_allclose(ours, (up - down) / (2 * h), rtol=1e-5, atol=1e-7)


@pytest.mark.full
def test_bad_prices_have_a_status():
    cost, a, b = problem(7)
    for rho, status in ((0.0, Status.INFEASIBLE), (-1.0, Status.INFEASIBLE), (np.nan, Status.NONFINITE)):
        assert solve(cost, a, b, 0.5, rho, 1.0, 1e-6)[0].status == status
