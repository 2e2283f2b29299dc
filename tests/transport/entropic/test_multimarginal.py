"""Transport between many measures against two, against linear programming, and against ott."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from geojax import Status
from geojax.transport import multimarginal_sinkhorn, sinkhorn

SHAPE = (4, 3, 5)


@functools.partial(jax.jit, static_argnums=1)
def problem(key, shape=SHAPE):
    keys = jax.random.split(key, 1 + len(shape))
    weights = [jax.nn.softmax(jax.random.normal(k, (n,))) for k, n in zip(keys[1:], shape)]
    return jax.random.uniform(keys[0], shape), weights


@jax.jit
def solve(cost, weights, epsilon):
    return multimarginal_sinkhorn(cost, weights, epsilon=epsilon, tol=1e-11, max_steps=5000)


def marginals(plan):
    return [plan.sum(tuple(j for j in range(plan.ndim) if j != k)) for k in range(plan.ndim)]


def test_two_measures_are_sinkhorn():

    @jax.jit
    def both(key):
        cost, (a, b) = problem(key, (4, 5))
        ours, plain = solve(cost, [a, b], 0.1), sinkhorn(cost, a, b, epsilon=0.1, tol=1e-11)
        return [(r.plan, r.cost) for r in (ours, plain)]

    (plan, value), (plain_plan, plain_value) = both(jax.random.key(0))
    np.testing.assert_allclose(plan, plain_plan, atol=1e-9)
    np.testing.assert_allclose(value, plain_value, atol=1e-10)


@pytest.mark.full
def test_law_marginals_duality_and_relabelling():
    @jax.jit
    @jax.vmap
    def law(key):
        cost, weights = problem(key)
        r = solve(cost, weights, 0.2)
        reference = jnp.einsum("i,j,k->ijk", *weights)
        primal = jnp.sum(r.plan * (cost + 0.2 * jnp.log(r.plan / reference)))
        left = sum(jnp.sum(jnp.abs(p - a)) for p, a in zip(marginals(r.plan), weights))
        turned = solve(jnp.transpose(cost, (2, 0, 1)), [weights[2], weights[0], weights[1]], 0.2)
        return (
            primal - r.cost,
            jnp.maximum(left - r.error, 0),
            turned.plan - jnp.transpose(r.plan, (2, 0, 1)),
        ), r.status

    differences, status = law(jax.random.split(jax.random.key(1), 16))
    assert jnp.all(status == Status.CONVERGED)
    for difference in differences:
        np.testing.assert_allclose(difference, 0, atol=1e-9)


@pytest.mark.full
def test_costs_that_separate_give_the_pairs_apart():
    """C_ijk = c1_ij + c2_ik couples the second and third measures to the first alone."""
    keys = jax.random.split(jax.random.key(2), 2)
    _, (a, b, c) = problem(keys[0])
    one, two = jax.random.uniform(keys[0], (4, 3)), jax.random.uniform(keys[1], (4, 5))
    joint = solve(one[:, :, None] + two[:, None], [a, b, c], 0.2)
    apart = [sinkhorn(k, a, w, epsilon=0.2, tol=1e-11) for k, w in ((one, b), (two, c))]
    np.testing.assert_allclose(joint.cost, sum(r.cost for r in apart), atol=1e-9)
    np.testing.assert_allclose(joint.plan.sum(2), apart[0].plan, atol=1e-9)


def test_small_epsilon_approaches_linear_programming():
    cost, weights = jax.device_get(problem(jax.random.key(3)))
    columns = np.eye(cost.size).reshape(-1, *SHAPE)
    rows = np.concatenate([columns.sum(tuple(1 + j for j in range(3) if j != k)).T for k in range(3)])
    exact = linprog(np.ravel(cost), A_eq=rows, b_eq=np.concatenate(weights)).fun
    result = solve(cost, weights, 0.005)
    value = np.sum(np.asarray(result.plan) * cost)
    assert exact - 1e-6 <= value <= exact + 0.005 * np.log(np.prod(SHAPE))


@pytest.mark.full
def test_gradient_of_the_cost_matches_differences():
    cost, weights = problem(jax.random.key(4))
    value = lambda cost, logs, e: solve(cost, [jax.nn.softmax(v) for v in logs], e).cost
    arguments = (cost, [jnp.log(w) for w in weights], jnp.asarray(0.3))
    gradients = jax.jit(jax.grad(value, range(3)))(*arguments)
    np.testing.assert_allclose(gradients[0], solve(cost, weights, 0.3).plan, atol=1e-9)
    leaves, structure = jax.tree.flatten(arguments)
    changes = [jax.random.normal(k, v.shape) for k, v in zip(jax.random.split(jax.random.key(5), 5), leaves)]
    at = lambda s: value(*jax.tree.unflatten(structure, [v + s * c for v, c in zip(leaves, changes)]))
    got = sum(jnp.sum(g * c) for g, c in zip(jax.tree.leaves(gradients), changes))
    np.testing.assert_allclose(got, (at(1e-5) - at(-1e-5)) / 2e-5, rtol=1e-6)


def test_zero_weights_and_bad_input():
    cost, weights = jax.device_get(problem(jax.random.key(6)))
    holed = [weights[0] / (1 - weights[0][1]), *weights[1:]]
    holed[0][1] = 0
    result = solve(cost, holed, 0.2)
    assert result.status == Status.CONVERGED
    assert np.all(np.isfinite(result.potentials[0])) & np.all(np.asarray(result.plan)[1] == 0)
    assert solve(cost, [2 * weights[0], *weights[1:]], 0.2).status == Status.INFEASIBLE
    broken = cost.copy()
    broken[0, 0, 0] = np.inf
    assert solve(broken, weights, 0.2).status == Status.NONFINITE
    with pytest.raises(ValueError, match=r"weights\[1\]"):
        multimarginal_sinkhorn(cost, [weights[0], weights[2], weights[1]], epsilon=0.2)
    with pytest.raises(ValueError, match="at least two measures"):
        multimarginal_sinkhorn(cost[0, 0], weights[2:], epsilon=0.2)
