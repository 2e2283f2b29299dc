"""Transport between point clouds in blocks against the solver that holds the matrix."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from geojax import Status
from geojax.transport import point_cloud_sinkhorn, sinkhorn

N, M = 24, 13


def square(x, y):
    return jnp.sum((x - y) ** 2)


@jax.jit
def clouds(key):
    keys = jax.random.split(key, 4)
    x, y = jax.random.normal(keys[0], (N, 3)), jax.random.normal(keys[1], (M, 3)) + 0.5
    return x, y, *(jax.nn.softmax(jax.random.normal(k, (s,))) for k, s in zip(keys[2:], (N, M)))


def blocked(x, y, a, b, epsilon, **options):
    options = {"tol": 1e-11, "max_steps": 4000, "block": 7} | options
    return point_cloud_sinkhorn(x, y, a, b, cost=square, epsilon=epsilon, **options)


def dense(x, y, a, b, epsilon):
    costs = jax.vmap(lambda p: jax.vmap(lambda q: square(p, q))(y))(x)
    return sinkhorn(costs, a, b, epsilon=epsilon, tol=1e-11, max_steps=4000)


@pytest.mark.parametrize("block", [7, pytest.param(24, marks=pytest.mark.full)])
def test_matches_sinkhorn(block):
    """Blocks that divide the rows and blocks that do not; weights of zero; strong and weak entropy."""
    x, y, a, b = map(np.asarray, clouds(jax.random.key(0)))
    empty_a, empty_b = a.copy(), b.copy()
    empty_a[[0, 9]] = empty_b[4] = 0
    both = np.stack([a, empty_a / empty_a.sum()]), np.stack([b, empty_b / empty_b.sum()])
    solve = jax.jit(
        jax.vmap(lambda a, b, e: (blocked(x, y, a, b, e, block=block), dense(x, y, a, b, e)), (0, 0, None))
    )
    for epsilon in (1.0, 0.1):
        ours, theirs = solve(*both, epsilon)
        np.testing.assert_array_equal(ours.status, Status.CONVERGED)
        for name in ("f", "g", "cost"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-8)


@pytest.mark.full
def test_gradients_match_sinkhorn():
    x, y, a, b = clouds(jax.random.key(1))
    arguments = (x, y, a, b, 0.5)
    gradients = [
        jax.jit(jax.grad(lambda *v, solve=solve: solve(*v).cost, range(5)))(*arguments)
        for solve in (blocked, dense)
    ]
    for ours, theirs in zip(*gradients):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.full
def test_rows_over_a_mesh_give_the_same_result_and_gradient():
    x, y, a, b = clouds(jax.random.key(2))
    mesh = jax.make_mesh((4,), ("rows",), axis_types=(AxisType.Auto,))
    rows, whole = PartitionSpec("rows"), PartitionSpec()

    def local(x, y, a, b):
        r = blocked(x, y, a, b, 0.3, axis_name="rows", block=4)
        return r.f, (r.g, r.cost, r.error, r.num_steps, r.status)

    sharded = jax.shard_map(
        local, mesh=mesh, in_specs=(rows, whole, rows, whole), out_specs=(rows, (whole,) * 5)
    )
    f, (g, cost, error, num_steps, status) = jax.jit(sharded)(x, y, a, b)
    one = jax.jit(blocked)(x, y, a, b, 0.3)
    assert (status, num_steps) == (Status.CONVERGED, one.num_steps)
    assert error <= 1e-11
    np.testing.assert_allclose(f, one.f, atol=1e-10)
    np.testing.assert_allclose(g, one.g, atol=1e-10)
    np.testing.assert_allclose(cost, one.cost, atol=1e-12)
    by_mesh = jax.jit(jax.grad(lambda *v: sharded(*v)[1][1], range(4)))(x, y, a, b)
    alone = jax.jit(jax.grad(lambda *v: blocked(*v, 0.3).cost, range(4)))(x, y, a, b)
    for ours, theirs in zip(by_mesh, alone):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    negative = jax.jit(sharded)(x, y, a.at[20].set(-0.1).at[21].add(a[20] + 0.1), b)[1][4]
    assert negative == Status.INFEASIBLE


def test_no_array_of_all_pairs_is_built():
    """Neither the value nor its gradient holds an array with as many entries as there are pairs."""
    x, y, a, b = clouds(jax.random.key(3))
    value = lambda *v: blocked(*v, 0.5, block=4).cost

    def largest(jaxpr):
        sizes = [v.aval.size for e in jaxpr.eqns for v in e.outvars]
        inner = [p for e in jaxpr.eqns for p in jax.tree.leaves(e.params, is_leaf=is_jaxpr) if is_jaxpr(p)]
        return max(sizes + [largest(getattr(p, "jaxpr", p)) for p in inner], default=0)

    is_jaxpr = lambda p: hasattr(p, "eqns") or hasattr(getattr(p, "jaxpr", None), "eqns")
    for function in (value, jax.grad(value, (0, 1, 2, 3))):
        size = largest(jax.make_jaxpr(function)(x, y, a, b).jaxpr)
        assert 4 * M * 3 <= size < N * M


@pytest.mark.full
def test_points_may_be_trees_and_costs_may_have_parameters():
    x, y, a, b = clouds(jax.random.key(4))

    @functools.partial(jax.grad, argnums=0)
    def slope(scale, x, y):
        cost = lambda p, q: scale * square(p["place"], q["place"]) + jnp.abs(p["time"] - q["time"])
        return point_cloud_sinkhorn(x, y, a, b, cost=cost, epsilon=0.5, tol=1e-11, block=10).cost

    points = [{"place": z, "time": z[:, 0]} for z in (x, y)]
    change = lambda s: float(
        point_cloud_sinkhorn(
            *points,
            a,
            b,
            cost=lambda p, q: s * square(p["place"], q["place"]) + jnp.abs(p["time"] - q["time"]),
            epsilon=0.5,
            tol=1e-11,
        ).cost
    )
    quotient = (change(1 + 1e-5) - change(1 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope(1.0, *points), quotient, rtol=1e-6)


@pytest.mark.full
def test_tiny_epsilon_in_single_precision_is_honest():
    x, y, a, b = (v.astype(jnp.float32) for v in clouds(jax.random.key(5)))
    solve = jax.jit(lambda e: blocked(x, y, a, b, e, tol=1e-6, max_steps=200))
    for epsilon in (1e-2, 1e-3, 6e-4):
        result = solve(jnp.float32(epsilon))
        assert all(bool(jnp.all(jnp.isfinite(v))) for v in (result.f, result.g, result.cost, result.error))
        assert (result.status == Status.CONVERGED) == (result.error <= 1e-6)


@pytest.mark.full
def test_warm_start_needs_no_steps():
    x, y, a, b = clouds(jax.random.key(6))
    solve = jax.jit(lambda start: blocked(x, y, a, b, 0.3, init=start))
    first = solve((jnp.zeros(N), jnp.zeros(M)))
    again = solve((first.f, first.g))
    assert again.num_steps <= 2 < first.num_steps
    np.testing.assert_allclose(again.g, first.g, atol=1e-9)


def test_bad_input_is_reported():
    x, y, a, b = map(np.array, clouds(jax.random.key(7)))
    solve = jax.jit(blocked)
    assert solve(x, y, 2 * a, b, 0.5).status == Status.INFEASIBLE
    assert solve(x, y, a, b, -0.5).status == Status.INFEASIBLE
    broken = x.copy()
    broken[3, 1] = np.nan
    assert solve(broken, y, a, b, 0.5).status == Status.NONFINITE
    with pytest.raises(ValueError, match="point_cloud_sinkhorn: x has shapes"):
        blocked(x[:5], y, a, b, 0.5)
    with pytest.raises(ValueError, match="at least one point"):
        blocked(x, y[:0], a, b[:0], 0.5)
