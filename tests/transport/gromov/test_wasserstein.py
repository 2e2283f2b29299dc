"""Gromov-Wasserstein transport against POT, enumeration, and its own laws."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax import Status
from geojax.transport import fused_gromov_wasserstein, gromov_wasserstein, sinkhorn

N, M = 8, 7


@functools.partial(jax.jit, static_argnums=(1, 2))
def spaces(key, n=N, m=M):
    """Distances within two clouds, costs between features, and weights."""
    keys = jax.random.split(key, 5)
    x, y = jax.random.normal(keys[0], (n, 3)), jax.random.normal(keys[1], (m, 2))
    a, b = (jax.nn.softmax(0.5 * jax.random.normal(k, (s,))) for k, s in zip(keys[2:4], (n, m)))
    return distances(x), distances(y), jax.random.uniform(keys[4], (n, m)), a, b


def distances(x):
    return jnp.sqrt(jnp.maximum(jnp.sum((x[:, None] - x) ** 2, -1), 1e-30)) * (1 - jnp.eye(len(x)))


def distortion(cost_x, cost_y, plan):
    """The quadruple sum itself."""
    loss = (cost_x[:, None, :, None] - cost_y[None, :, None, :]) ** 2
    return jnp.einsum("ijkl,ij,kl->", loss, plan, plan)


distortion_of = jax.jit(distortion)


@jax.jit
def solve(cost_x, cost_y, a, b, epsilon, proximal=0.0, tol=1e-8):
    return gromov_wasserstein(
        cost_x, cost_y, a, b, epsilon=epsilon, proximal=proximal, tol=tol, max_steps=2000
    )


@jax.jit
def solve_fused(cost, cost_x, cost_y, a, b, alpha, epsilon):
    return fused_gromov_wasserstein(
        cost, cost_x, cost_y, a, b, alpha=alpha, epsilon=epsilon, tol=1e-10, max_steps=5000
    )


@pytest.mark.parametrize("epsilon", [0.5, 0.05])
def test_matches_pot(epsilon):
    cost_x, cost_y, _, a, b = (np.array(v) for v in spaces(jax.random.key(0)))
    result = solve(cost_x, cost_y, a, b, epsilon)
    plan = ot.gromov.entropic_gromov_wasserstein(
        cost_x, cost_y, a, b, "square_loss", epsilon=epsilon, max_iter=2000, tol=1e-10
    )
    assert result.status == Status.CONVERGED
    assert result.cost <= distortion_of(cost_x, cost_y, plan) + 1e-4
    np.testing.assert_allclose(result.plan, plan, atol=1e-4)


@pytest.mark.full
def test_matches_pot_proximal():
    cost_x, cost_y, _, a, b = (np.array(v) for v in spaces(jax.random.key(1)))
    result = solve(cost_x, cost_y, a, b, 0.0, 0.3)
    plan = ot.gromov.entropic_gromov_wasserstein(
        cost_x, cost_y, a, b, "square_loss", epsilon=0.3, solver="PPA", max_iter=2000, tol=1e-10
    )
    assert result.status == Status.CONVERGED
    assert result.cost <= distortion(cost_x, cost_y, plan) + 1e-6
    # Without entropy the plan is a vertex: at most n + m - 1 pairs carry mass.
    assert jnp.sum(result.plan > 1e-6) <= N + M - 1


def test_matches_pot_fused():
    cost_x, cost_y, cost, a, b = (np.array(v) for v in spaces(jax.random.key(2)))
    for alpha in (0.3, 0.8):
        result = solve_fused(cost, cost_x, cost_y, a, b, alpha, 0.2)
        plan = ot.gromov.entropic_fused_gromov_wasserstein(
            cost, cost_x, cost_y, a, b, "square_loss", epsilon=0.2, alpha=alpha, max_iter=2000, tol=1e-10
        )
        np.testing.assert_allclose(result.plan, plan, atol=1e-4)


def test_fused_without_distances_is_sinkhorn():
    cost_x, cost_y, cost, a, b = spaces(jax.random.key(3))
    result = solve_fused(cost, cost_x, cost_y, a, b, 0.0, 0.2)
    plain = jax.jit(lambda cost, a, b: (r := sinkhorn(cost, a, b, epsilon=0.2, tol=1e-10), r.plan))
    plain, plan = plain(cost, a, b)
    np.testing.assert_allclose(result.plan, plan, atol=1e-8)
    np.testing.assert_allclose(result.objective, plain.cost, atol=1e-8)
    np.testing.assert_allclose(result.cost, np.sum(np.asarray(plan) * cost), atol=1e-7)


@pytest.mark.full
def test_matches_enumeration():
    """Euclidean distances make the distortion concave, so the best coupling is a relabelling; none found is better."""
    cost_x, cost_y, *_ = spaces(jax.random.key(4), 4, 4)
    w = jnp.full(4, 0.25)
    orders = np.array(list(itertools.permutations(range(4))))
    best = min(float(jnp.mean((cost_x - cost_y[np.ix_(o, o)]) ** 2)) for o in orders)
    starts = (0.8 * jnp.eye(4)[orders] + 0.05) / 4
    found = jax.jit(
        jax.vmap(
            lambda start: gromov_wasserstein(cost_x, cost_y, w, w, epsilon=0.0, proximal=0.1, init=start)
        )
    )(starts)
    np.testing.assert_allclose(jnp.min(found.cost), best, atol=1e-5)


@pytest.mark.full
def test_law_value_marginals_relabelling_and_symmetry():
    order_x, order_y = jnp.arange(N)[::-1], jnp.roll(jnp.arange(M), 2)

    @jax.jit
    @jax.vmap
    def law(key):
        cost_x, cost_y, _, a, b = spaces(key)
        r = solve(cost_x, cost_y, a, b, 0.3)
        entropy = jnp.sum(r.plan * jnp.log(r.plan / (a[:, None] * b)))
        relabelled = solve(
            cost_x[order_x][:, order_x], cost_y[order_y][:, order_y], a[order_x], b[order_y], 0.3
        )
        return (
            r.cost - distortion(cost_x, cost_y, r.plan),
            r.objective - r.cost - 0.3 * entropy,
            r.plan.sum(1) - a,
            r.plan.sum(0) - b,
            relabelled.plan - r.plan[order_x][:, order_y],
        ), r.status

    differences, status = law(jax.random.split(jax.random.key(6), 16))
    assert jnp.all(status == Status.CONVERGED)
    for difference in differences:
        np.testing.assert_allclose(difference, 0, atol=1e-6)


@pytest.mark.full
def test_law_more_steps_never_raise_the_objective():
    """Euclidean distances are conditionally negative, so linearising bounds the objective from above."""
    cost_x, cost_y, _, a, b = spaces(jax.random.key(7))
    values = [
        float(
            gromov_wasserstein(
                cost_x, cost_y, a, b, epsilon=0.1, tol=1e-10, max_steps=k, max_inner_steps=5000
            ).objective
        )
        for k in (1, 4, 16)
    ]
    assert values[0] >= values[1] - 1e-4 >= values[2] - 2e-4


@pytest.mark.full
def test_isometric_spaces_are_matched():
    keys = jax.random.split(jax.random.key(8), 2)
    x, order = jax.random.normal(keys[0], (N, 3)), jax.random.permutation(keys[1], N)
    rotation = jnp.linalg.qr(jax.random.normal(keys[1], (3, 3)))[0]
    w = jnp.full(N, 1 / N)
    result = solve(distances(x[order] @ rotation + 3), distances(x), w, w, 0.0, 0.1)
    np.testing.assert_allclose(result.plan, jnp.eye(N)[order] / N, atol=1e-5)
    assert abs(result.cost) < 1e-6


def test_asymmetric_costs_match_pot():
    random = np.random.default_rng(9)
    cost_x, cost_y = random.uniform(size=(N, N)), random.uniform(size=(M, M))
    a, b = np.full(N, 1 / N), np.full(M, 1 / M)
    result = solve(cost_x, cost_y, a, b, 0.1)
    plan = ot.gromov.entropic_gromov_wasserstein(
        cost_x, cost_y, a, b, "square_loss", epsilon=0.1, symmetric=False, max_iter=2000, tol=1e-10
    )
    np.testing.assert_allclose(result.plan, plan, atol=1e-5)
    np.testing.assert_allclose(result.cost, distortion_of(cost_x, cost_y, result.plan), atol=1e-10)


@pytest.mark.full
def test_gradient_of_the_objective_matches_differences():
    cost_x, cost_y, cost, a, b = spaces(jax.random.key(10))

    def value(cost, cost_x, cost_y, log_a, log_b, alpha, epsilon):
        a, b = jax.nn.softmax(log_a), jax.nn.softmax(log_b)
        return solve_fused(cost, cost_x, cost_y, a, b, alpha, epsilon).objective

    arguments = (cost, cost_x, cost_y, jnp.log(a), jnp.log(b), jnp.asarray(0.6), jnp.asarray(0.3))
    gradients = jax.jit(jax.grad(value, argnums=range(7)))(*arguments)
    for position, gradient in enumerate(gradients):
        change = jax.random.normal(jax.random.key(position), gradient.shape)
        step = 1e-4
        ahead, behind = (
            value(*arguments[:position], arguments[position] + s * change, *arguments[position + 1 :])
            for s in (step, -step)
        )
        np.testing.assert_allclose(
            jnp.sum(gradient * change), (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-6
        )


def test_bad_values_are_reported():
    cost_x, cost_y, _, a, b = map(np.array, spaces(jax.random.key(11)))
    assert solve(cost_x, cost_y, -a, b, 0.1).status == Status.INFEASIBLE
    assert solve(cost_x, cost_y, 2 * a, b, 0.1).status == Status.INFEASIBLE
    assert solve(cost_x, cost_y, a, b, 0.0).status == Status.INFEASIBLE
    assert solve(cost_x, cost_y, a, b, -1.0, 2.0).status == Status.INFEASIBLE
    assert solve(cost_x, cost_y, a, b, 0.01, 0.0, 0.0).status == Status.MAX_STEPS
    cost_x[0, 1] = np.nan
    assert solve(cost_x, cost_y, a, b, 0.1).status == Status.NONFINITE


def test_bad_shapes_are_named():
    cost_x, cost_y, cost, a, b = spaces(jax.random.key(12))
    with pytest.raises(ValueError, match="gromov_wasserstein: cost_x"):
        gromov_wasserstein(cost_x[:5], cost_y, a, b, epsilon=0.1)
    with pytest.raises(ValueError, match="fused_gromov_wasserstein: cost_x"):
        fused_gromov_wasserstein(cost.T, cost_x, cost_y, a, b, epsilon=0.1)
    with pytest.raises(ValueError, match="at least one point"):
        gromov_wasserstein(jnp.zeros((0, 0)), cost_y, jnp.zeros(0), b, epsilon=0.1)
    with pytest.raises(ValueError, match="init"):
        gromov_wasserstein(cost_x, cost_y, a, b, epsilon=0.1, init=cost.T)


@pytest.mark.full
def test_zero_weights_are_the_problem_without_these_points():
    cost_x, cost_y, _, a, b = spaces(jax.random.key(13))
    a = a.at[2].set(0) / (1 - a[2])
    whole = solve(cost_x, cost_y, a, b, 0.3)
    rest = jnp.array([0, 1, 3, 4, 5, 6, 7])
    part = gromov_wasserstein(cost_x[rest][:, rest], cost_y, a[rest], b, epsilon=0.3, tol=1e-8)
    assert whole.status == Status.CONVERGED
    np.testing.assert_allclose(whole.plan[rest], part.plan, atol=1e-7)
    assert jnp.all(whole.plan[2] == 0)


@pytest.mark.full
@pytest.mark.x32
def test_single_precision_converges_by_default():
    cost_x, cost_y, _, a, b = spaces(jax.random.key(14))
    result = solve_default(cost_x, cost_y, a, b)
    assert result.plan.dtype == jnp.float32
    assert result.status == Status.CONVERGED


@jax.jit
def solve_default(cost_x, cost_y, a, b):
    return gromov_wasserstein(cost_x, cost_y, a, b, epsilon=0.3)
