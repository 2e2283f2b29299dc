"""Transport with features against transport with the kernel they make, and with the kernel they approximate."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax import Status, unwrap
from geojax.transport import feature_sinkhorn, simplex_directions, sinkhorn
from geojax.transport.features import gaussian_features, gaussian_frequencies

N, M, K, D = 8, 6, 5, 2


@functools.partial(jax.jit, static_argnums=0)
def problem(seed):
    k1, k2, k3 = jax.random.split(jax.random.key(seed), 3)
    phi_x, phi_y = jax.random.uniform(k1, (N, K)), jax.random.uniform(k2, (M, K))
    a, b = jax.nn.softmax(jax.random.normal(k3, (N,))), jax.nn.softmax(jax.random.normal(k3, (M,)))
    return phi_x, phi_y, a, b


@pytest.mark.full
def test_matches_sinkhorn_with_the_same_kernel():
    phi_x, phi_y, a, b = problem(0)
    epsilon = 0.3
    found = unwrap(feature_sinkhorn(phi_x, phi_y, a, b, epsilon=epsilon, tol=1e-12))
    want = unwrap(sinkhorn(-epsilon * jnp.log(phi_x @ phi_y.T), a, b, epsilon=epsilon, tol=1e-12))
    np.testing.assert_allclose(found.cost, want.cost, rtol=1e-9)
    np.testing.assert_allclose(found.plan, want.plan, atol=1e-10)
    np.testing.assert_allclose(found.f, want.f, atol=1e-9)
    left, right = found.factors
    np.testing.assert_allclose(left @ right.T, found.plan)
    np.testing.assert_allclose(found.plan.sum(0), b, atol=1e-11)


def test_matches_pot():
    phi_x, phi_y, a, b = map(np.asarray, problem(1))
    solve = functools.partial(feature_sinkhorn, epsilon=1.0, tol=1e-12)
    found, plan = jax.jit(lambda *data: (r := solve(*data), r.plan))(phi_x, phi_y, a, b)
    theirs = ot.sinkhorn(a, b, -np.log(phi_x @ phi_y.T), reg=1.0, stopThr=1e-12)
    unwrap(found)
    np.testing.assert_allclose(plan, theirs, atol=1e-9)


@pytest.mark.full
def test_law_simplex_features_tend_to_the_exact_cost():
    """The error falls as features grow in number, at about 1 / sqrt(k)."""
    k1, k2 = jax.random.split(jax.random.key(2))
    x, y = 0.25 * jax.random.normal(k1, (N, D)), 0.25 * jax.random.normal(k2, (M, D)) + 0.5
    a, b, epsilon = jnp.full(N, 1 / N), jnp.full(M, 1 / M), 2.0
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    exact = unwrap(sinkhorn(cost, a, b, epsilon=epsilon, tol=1e-10)).cost

    def error(k):
        def one(key):
            w = gaussian_frequencies(key, (k, D), directions=simplex_directions)
            phi_x, phi_y = (gaussian_features(z * jnp.sqrt(2 / epsilon), w) for z in (x, y))
            return feature_sinkhorn(phi_x, phi_y, a, b, epsilon=epsilon, tol=1e-8).cost

        costs = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(3), 16))
        return float(jnp.sqrt(jnp.mean((costs - exact) ** 2)))

    few, many = error(32), error(2048)
    assert many < 0.1 * exact
    assert many < 0.3 * few


@pytest.mark.full
def test_gradient_matches_finite_differences():
    phi_x, phi_y, a, b = problem(4)
    value = jax.jit(
        lambda p, q, a, e: feature_sinkhorn(p, q, a, b, epsilon=e, tol=1e-13, max_steps=5000).cost
    )
    rng = np.random.default_rng(0)
    u, v, w = (rng.normal(size=z.shape) for z in (phi_x, phi_y, a))
    w = a * (w - a @ w)
    at = (phi_x, phi_y, a, 0.7)
    move = (0.1 * u, 0.1 * v, w, 1.0)
    gradient = jax.grad(value, (0, 1, 2, 3))(*at)
    h = 1e-5
    slope = (
        value(*(z + h * t for z, t in zip(at, move))) - value(*(z - h * t for z, t in zip(at, move)))
    ) / (2 * h)
    np.testing.assert_allclose(sum(jnp.vdot(g, t) for g, t in zip(gradient, move)), slope, rtol=1e-6)


def test_bad_input():
    phi_x, phi_y, a, b = map(np.asarray, problem(5))
    broken, empty, without_first = phi_x.copy(), phi_x.copy(), a / (1 - a[0])
    broken[0, 0], empty[0], without_first[0] = np.nan, 0, 0
    run = jax.jit(lambda p, a, e: feature_sinkhorn(p, phi_y, a, b, epsilon=e).status)
    assert run(phi_x, a, 1.0) == Status.CONVERGED
    assert run(broken, a, 1.0) == Status.NONFINITE
    assert run(empty, a, 1.0) == Status.NONFINITE
    assert run(-phi_x, a, 1.0) != Status.CONVERGED
    assert run(phi_x, 2 * a, 1.0) == Status.INFEASIBLE
    assert run(phi_x, a, -1.0) == Status.INFEASIBLE
    assert run(phi_x, without_first, 1.0) == Status.CONVERGED
    with pytest.raises(ValueError, match=r"phi_y has shape \[6, 4\]"):
        feature_sinkhorn(phi_x, phi_y[:, :4], a, b, epsilon=1.0)
    with pytest.raises(ValueError, match="at least one point"):
        feature_sinkhorn(phi_x[:0], phi_y, a[:0], b, epsilon=1.0)
