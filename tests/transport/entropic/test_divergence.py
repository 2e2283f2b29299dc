"""Laws of the Sinkhorn divergence, with ott as its judge."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest
from jax.test_util import check_grads
from ott.geometry import pointcloud
from ott.tools import sinkhorn_divergence as ott_divergence

from geojax import Status, manifolds, unwrap
from geojax.transport import Distance, SquaredEuclidean, assignment_cost, sinkhorn_divergence


def square(x, y):
    return jnp.sum((x - y) ** 2)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def clouds(key, n=9, m=7, d=2):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    x, y = jax.random.normal(k1, (n, d)), jax.random.normal(k2, (m, d)) + 1
    return x, y, jax.nn.softmax(jax.random.normal(k3, (n,))), jax.nn.softmax(jax.random.normal(k4, (m,)))


def solve(*arguments, epsilon=0.5, cost=SquaredEuclidean()):
    return sinkhorn_divergence(*arguments, cost=cost, epsilon=epsilon, tol=1e-12, max_steps=20000).value


@pytest.mark.full
def test_matches_pot():
    """POT's plans, and the value <P, C> + epsilon KL(P | a b^T) of each."""
    x, y, a, b = (np.array(v) for v in clouds(jax.random.key(0), 30, 20))
    epsilon = 0.5

    def value(p, q, weights_p, weights_q):
        costs = ot.dist(p, q)
        plan = ot.sinkhorn(weights_p, weights_q, costs, epsilon, "sinkhorn_log", 50_000, stopThr=1e-12)
        return np.sum(plan * (costs + epsilon * np.log(plan / np.outer(weights_p, weights_q))))

    want = value(x, y, a, b) - (value(x, x, a, a) + value(y, y, b, b)) / 2
    np.testing.assert_allclose(solve(x, y, a, b, epsilon=epsilon), want, rtol=1e-8)


@pytest.mark.full
@pytest.mark.parametrize("epsilon", [0.1, 1.0])
def test_matches_ott(epsilon):
    x, y, a, b = clouds(jax.random.key(0), 30, 20)
    peer, _ = ott_divergence.sinkhorn_divergence(
        pointcloud.PointCloud,
        x,
        y,
        a=a,
        b=b,
        epsilon=epsilon,
        solve_kwargs={"threshold": 1e-11, "max_iterations": 50000},
    )
    np.testing.assert_allclose(solve(x, y, a, b, epsilon=epsilon), peer, rtol=1e-8)


@pytest.mark.full
def test_law_positive_symmetric_and_zero_on_equals():
    @jax.jit
    @jax.vmap
    def law(key):
        x, y, a, b = clouds(key)
        order = jax.random.permutation(key, x.shape[0])
        return solve(x, y, a, b), solve(y, x, b, a), solve(x, x[order], a, a[order])

    there, back, same = law(jax.random.split(jax.random.key(1), 64))
    assert jnp.all(there > 0)
    np.testing.assert_allclose(there, back, atol=1e-10)
    np.testing.assert_allclose(same, 0, atol=1e-10)


@pytest.mark.full
def test_law_translation_costs_its_square():
    """Moving a measure by t adds |t|^2 + 2 <t, difference of means> at every epsilon."""
    x, y, a, b = clouds(jax.random.key(2))
    t = jnp.array([0.7, -1.1])
    expected = solve(x, y, a, b) + t @ t + 2 * t @ (a @ x - b @ y)
    np.testing.assert_allclose(solve(x + t, y, a, b), expected, rtol=1e-9)


@pytest.mark.full
def test_limits_in_epsilon():
    x, y, _, _ = clouds(jax.random.key(3), 8, 8)
    exact = assignment_cost(jnp.sum((x[:, None] - y) ** 2, axis=-1)) / 8
    small = sinkhorn_divergence(x, y, epsilon=1e-2, max_steps=20000).value
    np.testing.assert_allclose(small, exact, rtol=1e-2)
    means = jnp.sum((jnp.mean(x, 0) - jnp.mean(y, 0)) ** 2)
    np.testing.assert_allclose(solve(x, y, epsilon=1e5), means, rtol=1e-3)


@pytest.mark.full
def test_gradients():
    x, y, a, b = clouds(jax.random.key(4), 5, 4)

    def value(x, y, log_a, log_b, epsilon):
        return solve(x, y, jax.nn.softmax(log_a), jax.nn.softmax(log_b), epsilon=epsilon)

    check_grads(
        jax.jit(value),
        (x, y, jnp.log(a), jnp.log(b), jnp.asarray(0.5)),
        order=1,
        eps=1e-4,
        rtol=1e-6,
        atol=1e-7,
    )


@pytest.mark.full
def test_gradient_vanishes_between_equal_measures():
    x, _, a, _ = clouds(jax.random.key(5))
    np.testing.assert_allclose(jax.grad(solve, argnums=0)(x, x, a, a), 0, atol=1e-10)


@pytest.mark.full
def test_points_may_be_trees():
    x, y, a, b = clouds(jax.random.key(6))
    cost = lambda p, q: square(p["u"], q["u"]) + square(p["v"], q["v"])
    split = [{"u": points[:, 0], "v": points[:, 1]} for points in (x, y)]
    np.testing.assert_allclose(solve(*split, a, b, cost=cost), solve(x, y, a, b), rtol=1e-12)


def test_says_how_the_worst_of_its_three_problems_ended():
    x, y, a, b = map(np.asarray, clouds(jax.random.key(8)))
    run = jax.jit(lambda x, a, tol: sinkhorn_divergence(x, y, a, b, epsilon=0.5, tol=tol, max_steps=2000))
    good = unwrap(run(x, a, 1e-6))
    assert good.error <= 1e-6
    few = run(x, a, 0.0)
    assert few.status == Status.MAX_STEPS
    assert 0 < few.num_steps <= 2000
    assert np.isfinite(few.value)
    broken = x.copy()
    broken[0] = np.nan
    for bad, status in (
        (run(x, -a, 1e-6), Status.INFEASIBLE),
        (run(x, 2 * a, 1e-6), Status.INFEASIBLE),
        (run(broken, a, 1e-6), Status.NONFINITE),
    ):
        assert bad.status == status
        assert np.isnan(bad.value)


EXACT = Distance(manifolds.Euclidean())


@pytest.mark.parametrize(
    "cost",
    [
        lambda p, q: jnp.linalg.norm(p - q),
        pytest.param(lambda p, q: jnp.sqrt(jnp.sum((p - q) ** 2)), marks=pytest.mark.full),
        pytest.param(Distance(lambda p, q: jnp.linalg.norm(p - q)), marks=pytest.mark.full),
    ],
)
def test_gradient_is_nan_for_a_cost_without_a_derivative_at_equal_points(cost):
    """The self terms hold the cost of each point to itself, and x holds one point twice and one of y."""
    x, y, a, b = clouds(jax.random.key(9))
    x = np.array(x)
    x[1], x[2] = x[0], y[0]

    @jax.jit
    def slopes(x):
        value = lambda x, cost: sinkhorn_divergence(x, y, a, b, cost=cost, epsilon=0.5).value
        return jax.grad(value)(x, cost), jax.grad(value)(x, EXACT)

    got, want = slopes(x)
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(got, want, atol=1e-9)
