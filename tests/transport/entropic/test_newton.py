"""Laws of the Newton solver for entropic transport: its Hessian, its rate, and Sinkhorn's answers."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax import Status
from geojax.transport import sinkhorn, sinkhorn_newton
from geojax.transport.entropic.newton import _newton_direction


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def clouds(key, n, m, dtype=jnp.float64):
    keys = jax.random.split(key, 4)
    x, y = jax.random.normal(keys[0], (n, 3), dtype), jax.random.normal(keys[1], (m, 3), dtype) + 0.5
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    return cost, *(jax.nn.softmax(jax.random.normal(k, (s,), dtype)) for k, s in zip(keys[2:], (n, m)))


@pytest.mark.full
def test_direction_solves_newtons_system_of_the_dual():
    """The Hessian of the dual, by automatic differentiation, times the step is minus its gradient."""
    cost, a, b = clouds(jax.random.key(0), 7, 6)
    epsilon, g = 0.3, jax.random.normal(jax.random.key(1), (6,))

    def semi_dual(g):
        f = -epsilon * jax.scipy.special.logsumexp((g - cost) / epsilon, axis=1, b=b)
        return f @ a + g @ b

    f = -epsilon * jax.scipy.special.logsumexp((g - cost) / epsilon, axis=1, b=b)
    plan = a[:, None] * b * jnp.exp((f[:, None] + g - cost) / epsilon)
    slope = jax.grad(semi_dual)(g)
    np.testing.assert_allclose(slope, b - plan.sum(0), atol=1e-12)
    # The shift of the matrix is 1% of the error: made small, it leaves rounding alone.
    step = epsilon * _newton_direction(plan, a, b, 1e-13 * slope) * 1e13
    np.testing.assert_allclose(jax.hessian(semi_dual)(g) @ step, -slope, atol=1e-8)


@pytest.mark.parametrize(
    "ratio", [0.01, pytest.param(0.05, marks=pytest.mark.full), pytest.param(0.005, marks=pytest.mark.full)]
)
def test_matches_sinkhorn_and_pot(ratio):
    cost, a, b = map(np.asarray, clouds(jax.random.key(2), 50, 40))
    epsilon = ratio * float(np.mean(cost))
    solve = jax.jit(lambda e: (r := sinkhorn_newton(cost, a, b, epsilon=e, tol=1e-11), r.plan))
    r, ours = solve(epsilon)
    ours = np.asarray(ours)
    assert r.status == Status.CONVERGED
    assert np.sum(np.abs(ours.sum(0) - b)) + np.sum(np.abs(ours.sum(1) - a)) <= 1.1e-11
    plan = ot.sinkhorn(a, b, cost, epsilon, "sinkhorn_log", 50_000, stopThr=1e-12)
    # POT's own error, at the small epsilons, is what the two plans may differ by.
    theirs = np.abs(plan.sum(0) - b).sum() + np.abs(plan.sum(1) - a).sum()
    value = np.sum(plan * cost)
    np.testing.assert_allclose(
        np.sum(ours * cost), value, rtol=1e-8 + 10 * theirs * float(cost.max()) / value
    )


@pytest.mark.full
def test_few_steps_where_sinkhorn_needs_tens_of_thousands():
    """256 uniform points, epsilon a 200th of the mean cost, error 1e-9."""
    cost, _, _ = clouds(jax.random.key(9), 256, 256)
    uniform = jnp.full(256, 1 / 256)
    r = jax.jit(lambda e: sinkhorn_newton(cost, uniform, uniform, epsilon=e, tol=1e-9))(
        0.005 * jnp.mean(cost)
    )
    assert r.status == Status.CONVERGED
    assert r.num_steps <= 25


@pytest.mark.full
def test_convergence_is_quadratic():
    cost, a, b = clouds(jax.random.key(3), 40, 40)
    epsilon = 0.01 * jnp.mean(cost)
    errors = [
        float(
            sinkhorn_newton(cost, a, b, epsilon=epsilon, tol=0.0, max_steps=k, max_sinkhorn_steps=200).error
        )
        for k in (1, 2, 3, 4, 5, 6)
    ]
    small = [e for e in errors if e < 1e-3]
    assert min(errors) < 1e-12
    # From 1e-3 two or three steps reach rounding, where a linear rate would need dozens.
    assert len([e for e in small if e > 1e-12]) <= 3


@pytest.mark.full
def test_hessian_of_the_dual_in_blocks_and_its_sparse_direction():
    """In (f, g) it is -[[diag(P 1), P], [P^T, diag(P^T 1)]] / epsilon; with all entries kept, its step is Newton's."""
    cost, a, b = clouds(jax.random.key(10), 7, 6)
    epsilon, g = 0.3, jax.random.normal(jax.random.key(11), (6,))
    f = -epsilon * jax.scipy.special.logsumexp((g - cost) / epsilon, axis=1, b=b)

    def dual(z):
        plan = a[:, None] * b * jnp.exp((z[:7, None] + z[7:] - cost) / epsilon)
        return z[:7] @ a + z[7:] @ b - epsilon * jnp.sum(plan)

    z = jnp.concatenate([f, g])
    plan = a[:, None] * b * jnp.exp((f[:, None] + g - cost) / epsilon)
    blocks = jnp.block([[jnp.diag(plan.sum(1)), plan], [plan.T, jnp.diag(plan.sum(0))]])
    np.testing.assert_allclose(jax.hessian(dual)(z), -blocks / epsilon, atol=1e-8)
    # The pseudo-inverse leaves the gauge (1, -1) alone.
    full = jnp.linalg.pinv(blocks, rtol=1e-10) @ jax.grad(dual)(z)
    step = _newton_direction(plan, a, b, 1e-12 * (b - plan.sum(0)), density=1.0) * 1e12
    np.testing.assert_allclose(step - step[0], full[7:] - full[7], atol=1e-8)


@pytest.mark.full
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_sparse_newton_matches_and_takes_few_steps(density):
    """The plan at this epsilon has nearly all its mass in a tenth of its entries."""
    cost, _, _ = clouds(jax.random.key(12), 100, 100)
    uniform = jnp.full(100, 0.01)
    epsilon = 0.003 * jnp.mean(cost)
    solve = lambda **kept: jax.jit(
        lambda e: sinkhorn_newton(cost, uniform, uniform, epsilon=e, tol=1e-9, max_sinkhorn_steps=100, **kept)
    )(epsilon)
    sparse, dense = solve(density=density), solve()
    assert sparse.status == dense.status == Status.CONVERGED
    assert sparse.num_steps <= dense.num_steps + 10
    np.testing.assert_allclose(sparse.plan, dense.plan, atol=1e-7)
    np.testing.assert_allclose(sparse.cost, dense.cost, rtol=1e-8)


@pytest.mark.full
def test_sparse_newton_converges_quadratically_with_all_entries():
    cost, a, b = clouds(jax.random.key(3), 40, 40)
    epsilon = 0.01 * jnp.mean(cost)
    start = sinkhorn(cost, a, b, epsilon=epsilon, tol=0.0, max_steps=200)
    options = {"epsilon": epsilon, "tol": 0.0, "max_steps": 1, "max_sinkhorn_steps": 0, "density": 1.0}
    step = jax.jit(lambda init: sinkhorn_newton(cost, a, b, init=init, **options))
    potentials, errors = (start.f, start.g), []
    for _ in range(8):
        result = step(potentials)
        potentials = result.f, result.g
        errors.append(float(result.error))
    assert min(errors) < 1e-12
    assert len([e for e in errors if 1e-12 < e < 1e-3]) <= 3


def test_density_out_of_range_is_named():
    cost, a, b = np.ones((5, 5)), np.full(5, 0.2), np.full(5, 0.2)
    for density in (0.0, 1.5):
        with pytest.raises(ValueError, match="density"):
            sinkhorn_newton(cost, a, b, epsilon=0.5, density=density)


@pytest.mark.full
def test_large_epsilon_needs_no_newton_step():
    cost, a, b = clouds(jax.random.key(4), 20, 20)
    r = sinkhorn_newton(cost, a, b, epsilon=0.5 * jnp.mean(cost))
    s = sinkhorn(cost, a, b, epsilon=0.5 * jnp.mean(cost))
    assert (r.num_steps, r.status) == (0, Status.CONVERGED)
    np.testing.assert_allclose(r.plan, s.plan, atol=1e-6)


@pytest.mark.full
@pytest.mark.parametrize("ratio", [1e-3, 1e-4])
def test_tiny_epsilon_is_honest(ratio):
    cost, a, b = clouds(jax.random.key(5), 40, 30, jnp.float32)
    r = jax.jit(lambda e: sinkhorn_newton(cost, a, b, epsilon=e, max_steps=10))(ratio * jnp.mean(cost))
    assert jnp.all(jnp.isfinite(r.plan))
    assert jnp.isfinite(r.cost)
    assert (r.status == Status.CONVERGED) == (r.error <= jnp.finfo(jnp.float32).eps ** 0.5)


@pytest.mark.full
def test_zero_weights():
    cost, a, b = clouds(jax.random.key(6), 8, 7)
    a, b = a.at[2].set(0), b.at[jnp.array([0, 3])].set(0)
    a, b = a / a.sum(), b / b.sum()
    options = {"epsilon": 0.02 * jnp.mean(cost), "tol": 1e-12}
    newton = sinkhorn_newton(cost, a, b, **options, max_sinkhorn_steps=5)
    plain = sinkhorn(cost, a, b, **options, max_steps=20000)
    assert newton.status == plain.status == Status.CONVERGED
    np.testing.assert_allclose(newton.plan, plain.plan, atol=1e-9)
    np.testing.assert_allclose(newton.g, plain.g, atol=1e-8)


@pytest.mark.full
def test_many_columns_use_conjugate_gradients():
    cost, a, b = clouds(jax.random.key(7), 60, 1100)
    r = jax.jit(lambda e: sinkhorn_newton(cost, a, b, epsilon=e, tol=1e-9, max_sinkhorn_steps=30))(
        0.01 * jnp.mean(cost)
    )
    assert r.status == Status.CONVERGED
    assert 0 < r.num_steps <= 25


@pytest.mark.full
@pytest.mark.parametrize("solve", [sinkhorn, sinkhorn_newton])
def test_eager_calls_of_one_shape_compile_once(solve):
    compiled = importlib.import_module(solve.__module__)._solve
    sizes = []
    for seed in (20, 21, 22):
        solve(*clouds(jax.random.key(seed), 7, 6), epsilon=0.3 + 0.1 * seed, tol=1e-6 * seed)
        sizes.append(compiled._cache_size())
    assert sizes[0] == sizes[-1]


def test_bad_input_has_a_status():
    cost, a, b = map(np.array, clouds(jax.random.key(8), 5, 5))
    status = jax.jit(lambda cost, a, epsilon: sinkhorn_newton(cost, a, b, epsilon=epsilon).status)
    assert status(cost, -a, 0.5) == Status.INFEASIBLE
    assert status(cost, a, -0.5) == Status.INFEASIBLE
    cost[0, 0] = np.nan
    assert status(cost, a, 0.5) == Status.NONFINITE


@pytest.mark.full
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("dtype, least", [(np.float64, 1e-4), (np.float32, 1e-3)])
def test_small_epsilon_converges_in_both_precisions_at_every_scale(scale, dtype, least):
    x, y = np.random.default_rng(0).normal(size=(2, 50, 2))
    for shift in (0, 5):
        cost = (scale * ((x[:, None] - y - shift) ** 2).sum(-1)).astype(dtype)
        for epsilon in (1.0, 1e-1, 1e-2, 1e-3, 1e-4):
            result = sinkhorn_newton(cost, epsilon=epsilon * scale)
            if epsilon >= least * (10 if shift else 1):
                assert result.status == Status.CONVERGED, (shift, epsilon, result)
            assert np.isfinite(result.cost)


@pytest.mark.full
def test_a_plan_that_single_precision_cannot_hold_is_never_converged():
    x = np.random.default_rng(0).normal(size=(20, 2))
    cost = ((x[:, None] - x - 1000) ** 2).sum(-1).astype(np.float32)
    for solver in (sinkhorn, sinkhorn_newton):
        assert solver(cost, epsilon=0.1).status == Status.MAX_STEPS
        assert solver(cost.astype(np.float64), epsilon=0.1, tol=1e-4).status == Status.CONVERGED
