"""Barycentres of measures and of clouds against POT, and against the conditions of optimality."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from scipy.optimize import linprog

from geojax import Status
from geojax.transport import barycenter, free_support_barycenter

K, N, M, D = 3, 7, 6, 2
X = np.linspace(0.0, 1.0, N)
Y = np.linspace(0.0, 1.0, M)
COST = (X[:, None] - Y) ** 2


@jax.jit
def mixture(key):
    keys = jax.random.split(key)
    b = jax.nn.softmax(2 * jax.random.normal(keys[0], (K, M)))
    return b, jax.nn.softmax(jax.random.normal(keys[1], (K,)))


@jax.jit
def solve(cost, b, weights, epsilon):
    return barycenter(cost, b, weights, epsilon=epsilon, tol=1e-12, max_steps=5000)


def plans(result, cost, b, epsilon):
    return b[:, None] * jnp.exp((result.f[:, :, None] + result.g[:, None] - cost) / epsilon)


@pytest.mark.parametrize("epsilon", [0.5, 0.02])
def test_matches_pot(epsilon):
    """POT starts from scalings that are wrong for unequal weights, so the weights here are equal."""
    b = np.asarray(mixture(jax.random.key(0))[0])
    square = (Y[:, None] - Y) ** 2
    result = solve(square, b, np.full(K, 1 / K), epsilon)
    expected = ot.bregman.barycenter(
        np.array(b.T), np.array(square), epsilon, numItermax=100_000, stopThr=1e-14
    )
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.a, expected, atol=1e-9)


@pytest.mark.full
def test_law_conditions_of_optimality():
    """The problem is convex: couplings with the right marginals and potentials that balance are the optimum."""

    @jax.jit
    @jax.vmap
    def law(key):
        b, weights = mixture(key)
        r = solve(COST, b, weights, 0.05)
        p = plans(r, COST, b, 0.05)
        balance = weights @ r.f
        inner = jnp.sum(p * (COST + 0.05 * jnp.log(p / b[:, None])), axis=(1, 2))
        return p.sum(2) - r.a, p.sum(1) - b, balance - balance.mean(), r.a.sum() - 1, weights @ inner - r.cost

    for difference in law(jax.random.split(jax.random.key(1), 16)):
        np.testing.assert_allclose(difference, 0, atol=1e-9)


@pytest.mark.full
def test_small_epsilon_approaches_the_exact_barycentre():
    """Against linear programming over the weights and all couplings at once."""
    b, weights = (np.array(v) for v in mixture(jax.random.key(2)))
    cost = np.concatenate([w * np.ravel(COST) for w in weights] + [np.zeros(N)])
    rows, right = [], []
    for k in range(K):
        for i in range(N):
            row = np.zeros(cost.size)
            row[k * N * M + i * M : k * N * M + (i + 1) * M], row[K * N * M + i] = 1, -1
            rows, right = [*rows, row], [*right, 0]
        for j in range(M):
            row = np.zeros(cost.size)
            row[k * N * M + j : (k + 1) * N * M : M] = 1
            rows, right = [*rows, row], [*right, b[k, j]]
    exact = linprog(cost, A_eq=np.array(rows), b_eq=right).fun
    p = plans(r := solve(COST, b, weights, 3e-3), COST, b, 3e-3)
    assert r.status == Status.CONVERGED
    value = jnp.sum(weights[:, None, None] * p * COST)
    assert exact - 1e-9 <= value <= exact + 3e-3 * np.log(N)


@pytest.mark.full
def test_derivatives_match_differences():
    b, weights = mixture(jax.random.key(3))

    def outputs(cost, log_b, log_w, epsilon):
        r = solve(cost, jax.nn.softmax(log_b), jax.nn.softmax(log_w), epsilon)
        return jnp.array([r.cost, jnp.sin(5 * r.a).sum(), jnp.sum(r.f**2) + jnp.sum(r.g[0] * r.g[1])])

    arguments = (COST, jnp.log(b), jnp.log(weights), jnp.asarray(0.1))
    keys = jax.random.split(jax.random.key(4), 4)
    changes = tuple(jax.random.normal(k, v.shape) * 0.05 for k, v in zip(keys, arguments))
    _, forward = jax.jvp(outputs, arguments, changes)
    at = lambda s: outputs(*(v + s * c for v, c in zip(arguments, changes)))
    np.testing.assert_allclose(forward, (at(1e-4) - at(-1e-4)) / 2e-4, rtol=1e-5, atol=1e-7)
    jacobian = jax.jit(jax.jacrev(outputs, range(4)))(*arguments)
    reverse = sum(jnp.tensordot(j, c, c.ndim) for j, c in zip(jacobian, changes))
    np.testing.assert_allclose(reverse, forward, rtol=1e-8)


def test_bad_measures_are_reported():
    b, weights = map(np.asarray, mixture(jax.random.key(5)))
    square = (Y[:, None] - Y) ** 2
    assert solve(square, 2 * b, weights, 0.1).status == Status.INFEASIBLE
    assert solve(square, b, np.append(-1.0, weights[1:]), 0.1).status == Status.INFEASIBLE
    assert solve(square, b, weights, 0.0).status in (Status.INFEASIBLE, Status.NONFINITE)
    square[0, 0] = np.nan
    assert solve(square, b, weights, 0.1).status == Status.NONFINITE
    with pytest.raises(ValueError, match="barycenter: b has shape"):
        barycenter(COST, b[:, :-1], weights, epsilon=0.1)
    with pytest.raises(ValueError, match="at least one"):
        barycenter(COST, b[:0], weights[:0], epsilon=0.1)


# Free support --------------------------------------------------------------------------------------------------------


@jax.jit
def clouds(key):
    keys = jax.random.split(key, 3)
    y, init = jax.random.normal(keys[0], (K, M, D)), jax.random.normal(keys[1], (4, D))
    b, weights = mixture(keys[2])
    return y, b, weights, init


@jax.jit
def solve_free(y, b, weights, init):
    return free_support_barycenter(y, b, weights, init=init, epsilon=0.2, tol=1e-9)


def test_free_support_matches_pot():
    y, b, weights, init = (np.array(v) for v in clouds(jax.random.key(6)))
    result = solve_free(y, b, weights, init)
    expected = ot.bregman.free_support_sinkhorn_barycenter(
        list(y),
        list(b),
        init,
        0.2,
        np.full(4, 0.25),
        weights,
        numItermax=500,
        stopThr=1e-20,
        numInnerItermax=5000,
    )
    assert result.status == Status.CONVERGED
    np.testing.assert_allclose(result.points, expected, atol=1e-6)


@pytest.mark.full
def test_free_support_law_moves_with_the_clouds():
    y, b, weights, init = clouds(jax.random.key(7))
    rotation = jnp.linalg.qr(jax.random.normal(jax.random.key(8), (D, D)))[0]
    plain = solve_free(y, b, weights, init)
    moved = solve_free(y @ rotation + 1, b, weights, init @ rotation + 1)
    np.testing.assert_allclose(moved.points, plain.points @ rotation + 1, atol=1e-7)
    np.testing.assert_allclose(moved.cost, plain.cost, atol=1e-8)
    # The mean of single points is their weighted mean.
    single = free_support_barycenter(
        y[:, :1], jnp.ones((K, 1)), weights, init=init[:1], epsilon=0.2, tol=1e-9
    )
    np.testing.assert_allclose(single.points[0], weights @ y[:, 0], atol=1e-9)


@pytest.mark.full
def test_free_support_derivatives_match_differences():
    y, b, weights, init = clouds(jax.random.key(9))

    def outputs(y, log_w):
        r = solve_free(y, b, jax.nn.softmax(log_w), init)
        return jnp.array([r.cost, jnp.sum(jnp.sin(r.points))])

    arguments = (y, jnp.log(weights))
    changes = tuple(
        jax.random.normal(k, v.shape) for k, v in zip(jax.random.split(jax.random.key(10)), arguments)
    )
    jacobian = jax.jit(jax.jacrev(outputs, (0, 1)))(*arguments)
    reverse = sum(jnp.tensordot(j, c, c.ndim) for j, c in zip(jacobian, changes))
    at = lambda s: outputs(*(v + s * c for v, c in zip(arguments, changes)))
    np.testing.assert_allclose(reverse, (at(1e-4) - at(-1e-4)) / 2e-4, rtol=1e-4, atol=1e-5)


def test_free_support_ends_alike_in_both_precisions():
    """In float64 the couplings had to reach 1000 ulp at any tolerance, and a barycentre within it was MAX_STEPS."""
    rng = np.random.default_rng(0)
    y, init = rng.normal(size=(2, 10, 2)), rng.normal(size=(10, 2))
    solve = jax.jit(lambda y, init: free_support_barycenter(y, init=init, epsilon=0.1))
    single, double = (solve(y.astype(dtype), init.astype(dtype)) for dtype in (np.float32, np.float64))
    assert single.status == double.status == Status.CONVERGED
    np.testing.assert_allclose(single.points, double.points, atol=2e-3)


def test_free_support_bad_input_is_reported():
    y, b, weights, init = map(np.array, clouds(jax.random.key(11)))
    assert solve_free(y, 2 * b, weights, init).status == Status.INFEASIBLE
    y[0, 0, 0] = np.nan
    assert solve_free(y, b, weights, init).status == Status.NONFINITE
    with pytest.raises(ValueError, match="free_support_barycenter: init"):
        free_support_barycenter(y, b, weights, init=init[:, :1], epsilon=0.2)
