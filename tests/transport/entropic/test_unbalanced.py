"""Laws of unbalanced transport, with POT as its judge."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from jax.test_util import check_grads

from geojax import Status
from geojax.transport import sinkhorn, unbalanced_sinkhorn


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def problem(key, n, m, dtype=jnp.float64):
    keys = jax.random.split(key, 4)
    x, y = jax.random.normal(keys[0], (n, 3), dtype), jax.random.normal(keys[1], (m, 3), dtype) + 0.5
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    return cost, jax.random.uniform(keys[2], (n,), dtype), 2 * jax.random.uniform(keys[3], (m,), dtype)


def divergence(p, q):
    return jnp.sum(jax.scipy.special.xlogy(p, p / q) - p + q)


@pytest.mark.parametrize(
    "epsilon, rho_a, rho_b", [(0.5, 1.0, 3.0), pytest.param(0.1, 2.0, 0.5, marks=pytest.mark.full)]
)
def test_matches_pot(epsilon, rho_a, rho_b):
    cost, a, b = problem(jax.random.key(0), 30, 25)
    solve = functools.partial(unbalanced_sinkhorn, rho_a=rho_a, rho_b=rho_b, tol=1e-11, max_steps=10000)
    r, ours = jax.jit(lambda e: (r := solve(cost, a, b, epsilon=e), r.plan))(epsilon)
    assert r.status == Status.CONVERGED
    plan = ot.unbalanced.sinkhorn_unbalanced(
        np.array(a), np.array(b), np.array(cost), epsilon, (rho_a, rho_b), numItermax=100_000, stopThr=1e-14
    )
    np.testing.assert_allclose(ours, plan, atol=1e-8)


@pytest.mark.full
def test_law_strong_duality_and_optimal_marginals():
    @jax.jit
    @jax.vmap
    def law(key):
        cost, a, b = problem(key, 6, 8)
        r = unbalanced_sinkhorn(cost, a, b, epsilon=0.4, rho_a=1.5, rho_b=0.7, tol=1e-12)
        p = r.plan
        primal = jnp.sum(p * cost) + 0.4 * divergence(p, a[:, None] * b)
        primal += 1.5 * divergence(p.sum(1), a) + 0.7 * divergence(p.sum(0), b)
        off = (
            jnp.abs(p.sum(1) - a * jnp.exp(-r.f / 1.5)).max(),
            jnp.abs(p.sum(0) - b * jnp.exp(-r.g / 0.7)).max(),
        )
        return primal - r.cost, *off, r.status

    *differences, status = law(jax.random.split(jax.random.key(1), 64))
    assert jnp.all(status == Status.CONVERGED)
    for difference in differences:
        np.testing.assert_allclose(difference, 0, atol=1e-10)


@pytest.mark.full
def test_law_hard_marginals_are_the_limit():
    cost, a, b = problem(jax.random.key(2), 7, 7)
    a, b = a / a.sum(), b / b.sum()
    hard = sinkhorn(cost, a, b, epsilon=0.5, tol=1e-12)
    for rho in (1e2, 1e3):
        soft = unbalanced_sinkhorn(cost, a, b, epsilon=0.5, rho_a=rho, rho_b=rho, tol=1e-12, max_steps=30000)
        assert soft.status == Status.CONVERGED
        # The value of a penalty method approaches that of the constraint from below, at the rate 1 / rho.
        assert 0 <= hard.cost - soft.cost <= (jnp.sum(a * hard.f**2) + jnp.sum(b * (hard.g - 0) ** 2)) / rho


@pytest.mark.full
def test_gradients():
    cost, a, b = problem(jax.random.key(3), 4, 5)

    def outputs(cost, a, b, epsilon, rho_a, rho_b):
        r = unbalanced_sinkhorn(cost, a, b, epsilon=epsilon, rho_a=rho_a, rho_b=rho_b, tol=1e-13)
        return r.cost, jnp.sum(jnp.sin(3 * r.plan)) + jnp.sum(r.f**2) + jnp.sum(jnp.cos(r.g))

    arguments = (cost, a + 0.1, b + 0.1, *(jnp.asarray(v) for v in (0.5, 1.0, 2.0)))
    check_grads(jax.jit(lambda *x: outputs(*x)[0]), arguments, order=1, eps=1e-4, rtol=1e-6, atol=1e-7)
    check_grads(jax.jit(lambda *x: outputs(*x)[1]), arguments, order=1, eps=1e-4, rtol=1e-6, atol=1e-7)


@pytest.mark.full
def test_zero_weights_and_tiny_epsilon_are_finite():
    cost, a, b = problem(jax.random.key(4), 6, 5, jnp.float32)
    a, b = a.at[1].set(0), b.at[2].set(0)

    def value(cost, a, b, epsilon):
        return unbalanced_sinkhorn(cost, a, b, epsilon=epsilon, rho_a=1.0, rho_b=1.0)

    for epsilon in (0.5, 1e-2, 1e-4):
        r = value(cost, a, b, epsilon)
        assert jnp.all(jnp.isfinite(r.plan))
        assert jnp.all(r.plan[1] == 0)
        grads = jax.grad(lambda *x, e=epsilon: value(*x, e).cost, (0, 1, 2))(cost, a, b)
        assert all(jnp.all(jnp.isfinite(g)) for g in grads)


@jax.jit
def status_of(cost, a, b, epsilon, rho):
    return unbalanced_sinkhorn(cost, a, b, epsilon=epsilon, rho_a=rho, rho_b=1.0).status


def with_first(array, value):
    """A copy of an array with another first number."""
    array = np.array(array)
    array.flat[0] = value
    return array


@pytest.mark.parametrize(
    "change, status",
    [
        ({"a": lambda a: with_first(a, -1.0)}, Status.INFEASIBLE),
        ({"a": lambda a: 0 * a}, Status.INFEASIBLE),
        ({"rho": lambda rho: -rho}, Status.INFEASIBLE),
        ({"epsilon": lambda e: 0 * e}, Status.INFEASIBLE),
        ({"cost": lambda c: with_first(c, np.nan)}, Status.NONFINITE),
        ({"cost": lambda c: with_first(c, np.inf)}, Status.NONFINITE),
    ],
)
def test_bad_input_has_a_status(change, status):
    cost, a, b = map(np.asarray, problem(jax.random.key(5), 5, 5))
    data = {"cost": cost, "a": a, "epsilon": 0.5, "rho": 1.0}
    data |= {name: f(data[name]) for name, f in change.items()}
    assert status_of(**data, b=b) == status
