"""Low-rank couplings against full ones, at sizes whose cost matrix would not fit, and without ott."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import Status
from geojax.transport import (
    SquaredEuclidean,
    assignment_cost,
    low_rank_gromov_wasserstein,
    low_rank_sinkhorn,
    pairwise,
    sinkhorn,
)

N, K = 40, 8
KEY = jax.random.key(1)


@jax.jit
def solve(x, y, a):
    return low_rank_sinkhorn(x, y, a, rank=K, key=KEY)


EVEN = np.full(N, 1 / N, np.float32)


@pytest.fixture(scope="module")
def solved():
    x, y = np.random.default_rng(0).normal(size=(2, N, 2)).astype(np.float32)
    y = y / 2 + 100
    x = x + 100
    return x, y, solve(x, y, EVEN)


def test_cost_is_that_of_a_coupling_and_near_the_full_one(solved):
    x, y, r = solved
    assert r.status == Status.CONVERGED
    assert r.cost.dtype == r.q.dtype == jnp.float32

    @jax.jit
    def compare(x, y, r):
        costs = pairwise(SquaredEuclidean(), x, y)
        entropic = sinkhorn(costs, epsilon=0.05 * jnp.mean(costs), tol=1e-4)
        return r.plan, costs, assignment_cost(costs) / N, jnp.sum(entropic.plan * costs)

    plan, costs, exact, entropic = map(np.asarray, compare(x, y, r))
    assert np.linalg.matrix_rank(plan) <= K
    np.testing.assert_allclose(plan.sum(0), 1 / N, atol=1e-3)
    np.testing.assert_allclose(plan.sum(1), 1 / N, atol=1e-3)
    np.testing.assert_allclose(r.cost, np.sum(plan * costs), rtol=1e-4)
    independent = np.mean(costs)
    # The marginals are met to 1e-3, which may lower the cost by that share of the largest.
    assert exact - 1e-3 * costs.max() <= r.cost <= exact + 0.2 * (independent - exact)
    assert r.cost <= entropic + 0.2 * (independent - exact)


def test_products_with_the_coupling_do_not_need_it(solved):
    _, y, r = solved
    products = jax.jit(lambda r, y: (r.apply(y), r.apply(y[:, 0]), r.apply_transposed(y), r.plan))
    of_matrix, of_vector, transposed, plan = products(r, y)
    plan = np.asarray(plan)
    np.testing.assert_allclose(of_matrix, plan @ y, rtol=1e-4)
    np.testing.assert_allclose(of_vector, plan @ y[:, 0], rtol=1e-4)
    np.testing.assert_allclose(transposed, plan.T @ y, rtol=1e-4)


@pytest.mark.full
def test_gradient_is_that_of_the_cost_of_a_fixed_coupling(solved):
    x, y, r = solved
    held = lambda x: jnp.sum(r.plan * pairwise(SquaredEuclidean(), x, y))
    slope = jax.grad(lambda x: low_rank_sinkhorn(x, y, rank=K, key=KEY).cost)(x)
    np.testing.assert_allclose(slope, jax.grad(held)(x), atol=1e-3)


def test_bad_values_have_a_status():
    x, y = np.random.default_rng(0).normal(size=(2, 6, 2))
    few = {"rank": 2, "key": KEY, "max_steps": 10, "max_inner_steps": 10}
    status = jax.jit(lambda x, a: low_rank_sinkhorn(x, y, a, **few).status)
    even = np.full(6, 1 / 6)
    assert status(x, -even) == status(x, 2 * even) == Status.INFEASIBLE
    assert status(x, even) == Status.MAX_STEPS
    x[0, 0] = np.nan
    assert status(x, even) == Status.NONFINITE


def three_groups(key, spread=0.05):
    """Points near 0, 1 and 3 on a line, in order."""
    centres = jnp.repeat(jnp.array([0.0, 1.0, 3.0]), 5)
    return centres[:, None] + spread * jax.random.normal(key, (15, 1))


@pytest.mark.full
def test_gromov_wasserstein_matches_groups_by_their_distances():
    """The second line is mirrored and shifted; the best of several starts pairs the groups."""
    x = three_groups(jax.random.key(0))
    y = 7 - three_groups(jax.random.key(1))
    solve = jax.jit(lambda key: low_rank_gromov_wasserstein(x, y, rank=3, key=key, max_steps=500))
    results = [solve(key) for key in jax.random.split(jax.random.key(2), 6)]
    best = min(results, key=lambda r: float(r.cost))
    groups = best.plan.reshape(3, 5, 3, 5).sum((1, 3))
    np.testing.assert_allclose(groups, jnp.eye(3) / 3, atol=0.05)
    own = [pairwise(SquaredEuclidean(), z, z) for z in (x, y)]
    rows, columns = best.plan.sum(1), best.plan.sum(0)
    dense = rows @ own[0] ** 2 @ rows + columns @ own[1] ** 2 @ columns
    dense = dense - 2 * jnp.sum((own[0] @ best.plan @ own[1]) * best.plan)
    np.testing.assert_allclose(best.cost, dense, rtol=1e-8)


@pytest.mark.full
def test_fifty_thousand_points_in_linear_memory():
    """The cost matrix would take 10 gigabytes."""
    x, y = jax.random.normal(jax.random.key(0), (2, 50_000, 2), jnp.float32)
    solve = jax.jit(lambda x, y: low_rank_sinkhorn(x, y, rank=5, key=KEY, max_steps=20, max_inner_steps=20))
    memory = solve.lower(x, y).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 100 * x.nbytes
    assert jnp.isfinite(solve(x, y).cost)


@pytest.mark.parametrize("solve", [low_rank_sinkhorn, low_rank_gromov_wasserstein])
def test_without_ott_the_call_says_how_to_install_it(solve, monkeypatch):
    for name in [name for name in sys.modules if name == "ott" or name.startswith("ott.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ott", None)
    with pytest.raises(ImportError, match=r"geojax-transforms\[ott\]"):
        solve(np.ones((3, 2)), np.ones((3, 2)), rank=1, key=KEY)
