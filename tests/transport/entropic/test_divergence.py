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
from geojax.transport import (
    Distance,
    SquaredEuclidean,
    assignment_cost,
    sinkhorn_divergence,
    sinkhorn_newton,
    unbalanced_sinkhorn_divergence,
)
from geojax.transport.entropic.divergence import _within


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
    few = jax.jit(lambda x: sinkhorn_divergence(x, y, a, b, epsilon=0.5, tol=1e-9, max_steps=2))(x)
    assert few.status == Status.MAX_STEPS
    assert few.num_steps == 2
    assert few.error > 1e-9
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


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cost", [SquaredEuclidean(), square])
def test_a_translate_is_its_square_away_at_every_epsilon(cost, dtype):
    """The default options give 50 and the gradient -2 (5, 5) / n; single precision says where it cannot hold a plan."""
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(dtype)
    run = jax.jit(
        jax.value_and_grad(
            lambda x, y, epsilon: (
                (r := sinkhorn_divergence(x, y, cost=cost, epsilon=epsilon)).value + 0 * r.error
            )
        )
    )
    status = jax.jit(lambda x, y, epsilon: sinkhorn_divergence(x, y, cost=cost, epsilon=epsilon).status)
    for epsilon in (1.0, 1e-1, 1e-2, 1e-3, 1e-4):
        value, slope = run(x, x + 5, epsilon)
        np.testing.assert_allclose(value, 50, rtol=1e-6)
        np.testing.assert_allclose(50 * slope, -10, atol=1e-3)
        held = cost is not square or dtype is np.float64 or epsilon > 1e-4
        assert (status(x, x + 5, epsilon) == Status.CONVERGED) == held


@pytest.mark.full
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-6), (np.float32, 1e-3)])
def test_units_and_place_do_not_matter(scale, dtype, rtol):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 2)), 0.5 * rng.normal(size=(30, 2)) + 1
    for epsilon in (1.0, 1e-2):
        want = sinkhorn_divergence(x, y, epsilon=epsilon, tol=1e-9).value
        for place in (0, 100):
            moved = [((z + place) * scale).astype(dtype) for z in (x, y)]
            got = sinkhorn_divergence(*moved, epsilon=epsilon * scale**2)
            assert got.status == Status.CONVERGED
            np.testing.assert_allclose(got.value / scale**2, want, rtol=rtol)


@pytest.mark.full
def test_starts_from_the_potentials_of_a_nearby_problem():
    x, y, a, b = clouds(jax.random.key(2))
    for cost in (SquaredEuclidean(), square):
        first = sinkhorn_divergence(x, y, a, b, cost=cost, epsilon=0.05)
        again = sinkhorn_divergence(x, y, a, b, cost=cost, epsilon=0.05, init=(first.f, first.g))
        slow = sinkhorn_divergence(x, y, a, b, cost=cost, epsilon=0.05, start_epsilon=5.0)
        np.testing.assert_allclose([again.value, slow.value], first.value, rtol=1e-5)
        plan = (
            a[:, None] * b * np.exp((first.f[:, None] + first.g - ot.dist(np.array(x), np.array(y))) / 0.05)
        )
        np.testing.assert_allclose(np.sum(plan, axis=1), a, atol=1e-5)


@pytest.mark.full
def test_the_two_problems_of_one_measure_converge_in_some_steps_at_every_epsilon():
    x = np.random.default_rng(2).normal(size=(50, 2))
    for epsilon in (1.0, 1e-2, 1e-4):
        costs = jnp.asarray(ot.dist(x, x))
        one = jnp.full(50, 1 / 50)
        got = jax.jit(_within, static_argnames="max_steps")(costs, one, one, epsilon, 1e-9, max_steps=60)
        assert got.status == Status.CONVERGED
        exact = sinkhorn_newton(costs, epsilon=epsilon, tol=1e-9)
        np.testing.assert_allclose(got.cost, exact.cost, rtol=1e-7)
    crooked = costs + jnp.asarray(np.random.default_rng(3).uniform(size=costs.shape))
    got = jax.jit(_within, static_argnames="max_steps")(crooked, one, one, 1.0, 1e-9, max_steps=60)
    assert got.status == Status.MAX_STEPS


@pytest.mark.full
def test_unbalanced_matches_the_values_of_pot():
    """POT's plans, and the value of each with its penalties; zero between equals, positive otherwise."""
    x, y, a, b = (np.array(v) for v in clouds(jax.random.key(0), 12, 9))
    b = 1.7 * b
    epsilon, rho = 0.3, 0.8
    kl = lambda p, q: np.sum(p * np.log(p / q) - p + q)

    def value(p, q, c, d):
        costs = ot.dist(p, q)
        plan = ot.unbalanced.sinkhorn_unbalanced(c, d, costs, epsilon, rho, numItermax=50_000, stopThr=1e-13)
        margins = kl(plan.sum(1), c) + kl(plan.sum(0), d)
        return np.sum(plan * costs) + epsilon * kl(plan, np.outer(c, d)) + rho * margins

    want = value(x, y, a, b) - (value(x, x, a, a) + value(y, y, b, b)) / 2
    want += epsilon * (a.sum() - b.sum()) ** 2 / 2
    options = {"epsilon": epsilon, "rho": rho, "tol": 1e-10}
    got = unwrap(unbalanced_sinkhorn_divergence(x, y, a, b, **options))
    assert got.num_steps < 200
    np.testing.assert_allclose(got.value, want, rtol=1e-7)
    assert got.value > 0
    same = unbalanced_sinkhorn_divergence(x, x[::-1], a, a[::-1], **options)
    np.testing.assert_allclose(same.value, 0, atol=1e-9)
    heavier = unbalanced_sinkhorn_divergence(x, x, a, 1.1 * a, **options)
    assert heavier.value > 1e-4


@pytest.mark.full
def test_law_unbalanced_is_positive_and_tends_to_balanced():
    x, y, a, b = clouds(jax.random.key(3))
    run = jax.jit(lambda rho: unbalanced_sinkhorn_divergence(x, y, a, b, epsilon=0.5, rho=rho, tol=1e-10))
    hard = sinkhorn_divergence(x, y, a, b, epsilon=0.5, tol=1e-10).value
    values = [run(rho).value for rho in (1e-1, 1.0, 1e2, 1e4, np.inf)]
    assert np.all(np.diff(values) > 0) and values[0] > 0
    np.testing.assert_allclose(values[-1], hard, rtol=1e-8)
    np.testing.assert_allclose(values[-2], hard, rtol=1e-3)
