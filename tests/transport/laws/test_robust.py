"""The worst case over a Wasserstein ball against linear programming, and robust planning with it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from geojax.transport.laws import wasserstein_ball_worst_case

S = 6


@jax.jit
def problem(key):
    keys = jax.random.split(key, 3)
    x = jax.random.normal(keys[2], (S, 2))
    # Compiled with what draws x, a difference of equals need not be zero.
    cost = jnp.sqrt(jnp.sum((x[:, None] - x) ** 2, -1)) * (1 - jnp.eye(S))
    return jax.random.normal(keys[0], (S,)), jax.nn.softmax(jax.random.normal(keys[1], (S,))), cost


@jax.jit
def solve(v, p, cost, radius):
    return wasserstein_ball_worst_case(v, p, cost, radius=radius)


def by_programming(v, p, cost, radius):
    """The primal: couplings whose first marginal is p and whose cost is within the radius."""
    rows = np.repeat(np.eye(S), S, axis=1)
    return linprog(np.tile(v, S), A_ub=[np.ravel(cost)], b_ub=[radius], A_eq=rows, b_eq=p, method="highs").fun


def test_matches_linear_programming():
    for seed in range(8):
        v, p, cost = (np.array(x) for x in problem(jax.random.key(seed)))
        for radius in (0.0, 0.1, 0.5, 2.0):
            np.testing.assert_allclose(
                solve(v, p, cost, radius).value, by_programming(v, p, cost, radius), atol=1e-9
            )


@pytest.mark.full
def test_law_ends_monotone_convex_and_attained():
    radii = jnp.linspace(0, 4, 9)

    @jax.jit
    @jax.vmap
    def law(key):
        v, p, cost = problem(key)
        r = jax.vmap(lambda radius: solve(v, p, cost, radius))(radii)
        far = solve(v, p, cost, jnp.max(cost))
        return r.value[0] - p @ v, far.value - jnp.min(v), r.value, r.weights @ v - r.value, r.weights

    start, end, values, attained, weights = law(jax.random.split(jax.random.key(9), 32))
    np.testing.assert_allclose(start, 0, atol=1e-12)
    np.testing.assert_allclose(end, 0, atol=1e-12)
    np.testing.assert_allclose(attained, 0, atol=1e-12)
    assert jnp.all(weights >= 0)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-12)
    assert jnp.all(jnp.diff(values, axis=1) <= 1e-12)
    assert jnp.all(jnp.diff(values, n=2, axis=1) >= -1e-9)


def test_gradients_match_differences():
    arguments = (*map(np.asarray, problem(jax.random.key(10))), np.asarray(0.37))
    value = lambda *x: np.asarray(solve(*x).value)
    slopes = jax.jit(jax.grad(lambda *x: solve(*x).value, range(4)))
    gradients = map(np.asarray, slopes(*arguments))
    for position, gradient in enumerate(gradients):
        change = np.random.default_rng(position).normal(size=gradient.shape)
        change = change - (change.mean() if position == 1 else 0)
        ahead, behind = (
            value(*arguments[:position], arguments[position] + s * change, *arguments[position + 1 :])
            for s in (1e-6, -1e-6)
        )
        np.testing.assert_allclose(np.sum(gradient * change), (ahead - behind) / 2e-6, atol=1e-6)


def test_single_precision_and_values_outside_the_domain():
    v, p, cost = (np.asarray(x, np.float32) for x in problem(jax.random.key(11)))
    exact = by_programming(*(np.array(x, np.float64) for x in (v, p, cost)), 0.4)
    np.testing.assert_allclose(solve(v, p, cost, 0.4).value, exact, atol=1e-5)
    assert np.isnan(solve(v, p, cost, -0.1).value)
    assert np.isnan(solve(np.append(np.float32(np.nan), v[1:]), p, cost, 0.1).value)
    assert np.isnan(solve(v, p, cost + 1, 0.1).value)
    with pytest.raises(ValueError, match="wasserstein_ball_worst_case: p"):
        wasserstein_ball_worst_case(v, p[:3], cost, radius=0.1)


# Robust Markov decision processes ------------------------------------------------------------------------

STATES, ACTIONS, KERNELS, DISCOUNT = 5, 2, 3, 0.8


def process(key):
    """Rewards [s, a], and for every state and action some candidate kernels [k, s, a, s]."""
    k1, k2 = jax.random.split(key)
    kernels = jax.nn.softmax(2 * jax.random.normal(k1, (KERNELS, STATES, ACTIONS, STATES)))
    return jax.random.uniform(k2, (STATES, ACTIONS)), kernels


def policy_value(rewards, kernel, policy):
    rows = jnp.arange(STATES)
    return jnp.linalg.solve(jnp.eye(STATES) - DISCOUNT * kernel[rows, policy], rewards[rows, policy])


def best_values(rewards, kernels):
    """Values of the policy that is best against the worst of finitely many whole kernels, from a uniform start."""

    def backup(_, v):
        return jnp.max(rewards + DISCOUNT * jnp.einsum("sat,t->sa", kernels, v), axis=1)

    return jax.lax.fori_loop(0, 300, backup, jnp.zeros(STATES))


@pytest.mark.full
def test_robust_value_iteration_is_the_vmap():
    """A contraction whose fixed point is below the nominal value, equal to it for radius 0."""
    rewards, kernels = process(jax.random.key(12))
    places = jnp.arange(STATES, dtype=float)
    cost = jnp.abs(places[:, None] - places)

    @jax.jit
    def values(radius):
        worst = lambda v: jax.vmap(jax.vmap(lambda p: solve(v, p, cost, radius).value))(kernels[0])
        return jax.lax.fori_loop(
            0, 200, lambda _, v: jnp.max(rewards + DISCOUNT * worst(v), 1), jnp.zeros(STATES)
        )

    nominal = best_values(rewards, kernels[0])
    np.testing.assert_allclose(values(0.0), nominal, atol=1e-9)
    assert jnp.all(values(0.3) < nominal)
    # Against a kernel that may send everything anywhere, only the worst state counts.
    floor = jnp.min(jnp.max(rewards, 1)) / (1 - DISCOUNT)
    np.testing.assert_allclose(jnp.min(values(10.0)), floor, atol=1e-8)


def test_adding_worst_kernels_one_by_one_finds_the_best_policy():
    """Incremental worst-case search over a rectangular finite family against all policies and all kernels."""
    rewards, kernels = jax.device_get(jax.jit(process)(jax.random.key(13)))
    rows = np.arange(STATES)
    policies = np.array(list(itertools.product(range(ACTIONS), repeat=STATES)))

    def worst_kernel(policy):
        """The family is rectangular: value iteration over the choice for each state."""

        def choose(v):
            return jnp.einsum("kst,t->ks", jnp.asarray(kernels)[:, rows, policy], v)

        v = jax.lax.fori_loop(
            0,
            300,
            lambda _, v: jnp.asarray(rewards)[rows, policy] + DISCOUNT * jnp.min(choose(v), 0),
            jnp.zeros(STATES),
        )
        chosen = jnp.argmin(choose(v), 0)
        return jnp.asarray(kernels)[chosen, rows], v

    worst = jax.jit(worst_kernel)
    exact = max(float(np.mean(worst(policy)[1])) for policy in policies)
    # Best response to the kernels found so far, state by state, and the worst kernel for it.
    found = kernels[:1]
    for _ in range(8):
        returns_of = lambda v, found=found: np.min(
            rewards + DISCOUNT * np.einsum("ksat,t->ksa", found, v), axis=0
        )
        v = np.zeros(STATES)
        for _ in range(300):
            v = np.max(returns_of(v), axis=1)
        policy = np.argmax(returns_of(v), axis=1)
        kernel, value = map(np.asarray, worst(policy))
        if abs(float(value.mean() - v.mean())) < 1e-9:
            break
        found = np.concatenate([found, kernel[None]])
    np.testing.assert_allclose(value.mean(), exact, atol=1e-8)
