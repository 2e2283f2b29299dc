"""Partial transport against POT, and against balanced transport."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax import Status
from geojax.transport import partial_transport, sinkhorn

N, M = 6, 5


@jax.jit
def problem(key):
    keys = jax.random.split(key, 3)
    a, b = (jax.nn.softmax(jax.random.normal(k, (s,))) for k, s in zip(keys[1:], (N, M)))
    return jax.random.uniform(keys[0], (N, M)), a, b


@jax.jit
def solve(cost, a, b, mass, epsilon):
    return partial_transport(cost, a, b, mass=mass, epsilon=epsilon, tol=1e-11, max_steps=20000)


@pytest.mark.parametrize("epsilon", [0.5, 0.05])
def test_matches_pot(epsilon):
    """With equal weights the entropy relative to a b^T is that of the plan."""
    cost = np.asarray(problem(jax.random.key(0))[0])
    a, b = np.full(N, 1 / N), np.full(M, 1 / M)
    for mass in (0.3, 0.8, 0.97):
        result = solve(cost, a, b, mass, epsilon)
        expected = ot.partial.entropic_partial_wasserstein(
            *(np.array(v) for v in (a, b, cost)), epsilon, m=mass, numItermax=100_000, stopThr=1e-14
        )
        assert result.status == Status.CONVERGED
        np.testing.assert_allclose(result.plan, expected, atol=1e-9)


def test_small_epsilon_approaches_exact_partial_transport():
    cost, a, b = map(np.asarray, problem(jax.random.key(1)))
    exact = np.sum(
        ot.partial.partial_wasserstein(*(np.array(v) for v in (a, b, cost)), m=0.6) * np.array(cost)
    )
    value = np.sum(np.asarray(solve(cost, a, b, 0.6, 0.002).plan) * cost)
    assert exact - 1e-8 <= value <= exact + 0.002 * np.log(N * M)


@pytest.mark.full
def test_all_the_mass_is_balanced_transport():
    cost, a, b = problem(jax.random.key(2))
    whole, plain = solve(cost, a, b, 1.0, 0.2), sinkhorn(cost, a, b, epsilon=0.2, tol=1e-12)
    np.testing.assert_allclose(whole.plan, plain.plan, atol=1e-9)
    np.testing.assert_allclose(whole.cost, plain.cost, atol=1e-9)


@pytest.mark.full
def test_law_bounds_mass_and_duality():
    @jax.jit
    @jax.vmap
    def law(key):
        cost, a, b = problem(key)
        r = solve(cost, a, 2 * b, 0.7, 0.1)
        primal = jnp.sum(r.plan * (cost + 0.1 * jnp.log(r.plan / (2 * a[:, None] * b))))
        over = jnp.maximum(r.plan.sum(1) - a, 0), jnp.maximum(r.plan.sum(0) - 2 * b, 0)
        return (primal - r.cost, r.plan.sum() - 0.7, *over), r.status

    differences, status = law(jax.random.split(jax.random.key(3), 16))
    assert jnp.all(status == Status.CONVERGED)
    for difference in differences:
        np.testing.assert_allclose(difference, 0, atol=1e-9)


@pytest.mark.full
def test_gradient_of_the_cost_matches_differences():
    arguments = (*problem(jax.random.key(4)), jnp.asarray(0.7), jnp.asarray(0.2))
    value = lambda *v: solve(*v).cost
    gradients = jax.jit(jax.grad(value, range(5)))(*arguments)
    keys = jax.random.split(jax.random.key(5), 5)
    # The measures hold more than is moved, so their sums are free.
    changes = [0.1 * jax.random.normal(k, v.shape) for k, v in zip(keys, arguments)]
    at = lambda s: value(*(v + s * c for v, c in zip(arguments, changes)))
    got = sum(jnp.sum(g * c) for g, c in zip(gradients, changes))
    np.testing.assert_allclose(got, (at(1e-5) - at(-1e-5)) / 2e-5, rtol=1e-5)


def test_bad_input_is_reported():
    cost, a, b = map(np.array, problem(jax.random.key(6)))
    for mass in (-0.1, 0.0, 1.2):
        assert solve(cost, a, b, mass, 0.2).status in (Status.INFEASIBLE, Status.NONFINITE)
    assert solve(cost, a, b, 1.2, 0.2).status == Status.INFEASIBLE
    assert solve(cost, np.append(-0.1, a[1:]), b, 0.5, 0.2).status == Status.INFEASIBLE
    cost[0, 0] = np.nan
    assert solve(cost, a, b, 0.5, 0.2).status == Status.NONFINITE
    with pytest.raises(ValueError, match="partial_transport: b"):
        partial_transport(cost, a, a, mass=0.5, epsilon=0.2)
