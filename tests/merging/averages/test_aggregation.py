"""Federated aggregation: known limits, quadratic clients with a closed form, and a client made of noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import Status
from geojax.merging import aggregate, average, client_coherence, learn_aggregation


def test_shares_of_the_data_give_federated_averaging():
    stack, sizes = np.random.default_rng(0).normal(size=(3, 4)), np.array([10.0, 20.0, 70.0])
    np.testing.assert_allclose(aggregate(stack, sizes / 100), average(stack, sizes), rtol=1e-13)
    np.testing.assert_allclose(aggregate(stack, sizes / 100, 0.9), 0.9 * average(stack, sizes), rtol=1e-13)


def test_quadratic_clients_reach_the_closed_form():
    """With a target gamma sum w_i theta_i inside the cone of independent clients the minimum is there."""
    stack = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 3)))[0].T + 0.2
    weights, shrinkage = np.array([0.2, 0.3, 0.5]), 0.8
    target = aggregate(stack, weights, shrinkage)
    learn = lambda stack: learn_aggregation(
        lambda p: jnp.sum((p - target) ** 2), stack, tol=1e-9, max_steps=5000
    )
    found = jax.jit(learn)(stack)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.weights, weights, atol=1e-6)
    np.testing.assert_allclose(found.shrinkage, shrinkage, rtol=1e-6)
    np.testing.assert_allclose(found.params, target, atol=1e-7)


def test_a_noise_client_loses_weight_and_coherent_ones_are_seen():
    random = np.random.default_rng(2)
    direction, noise = random.normal(size=20), random.normal(size=(3, 20))
    stack = np.stack([direction + 0.1 * noise[0], direction + 0.1 * noise[1], 2 * noise[2]])
    found = jax.jit(lambda s: learn_aggregation(lambda p: jnp.mean((p - direction) ** 2), s, tol=1e-4))(stack)
    assert found.weights[2] < 0.05
    cosines = np.asarray(jax.jit(client_coherence)(np.zeros(20), stack))
    assert cosines[0, 1] > 0.9 > abs(cosines[0, 2]) + 0.3


def test_shrinkage_acts_as_weight_decay_to_first_order():
    """loss(gamma p) = loss(p) - (1 - gamma) <p, grad loss(p)> + O((1 - gamma)^2)."""
    p = np.random.default_rng(3).normal(size=(1, 5))

    def loss(x):
        return jnp.sum(jnp.cosh(x))

    first = jnp.vdot(p[0], jax.grad(loss)(p[0]))
    for small in (1e-3, 1e-4):
        change = (loss(aggregate(p, jnp.ones(1), 1 - small)) - loss(p[0])) / small
        np.testing.assert_allclose(change, -first, rtol=5 * small)


def test_bad_input_says_what_is_wrong():
    bad = jax.jit(lambda s: learn_aggregation(lambda p: jnp.sum(p) * jnp.nan, s))(np.ones((2, 3)))
    assert bad.status == Status.NONFINITE
    with pytest.raises(ValueError, match="weights has shape"):
        aggregate(jnp.ones((2, 3)), jnp.ones(3))


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_a_loss_in_other_units_ends_alike_with_the_same_weights(dtype):
    rng = np.random.default_rng(0)
    clients, curvature = rng.normal(size=(3, 6)), rng.uniform(0.5, 2, 6)
    target = 1.3 * np.array([0.2, 0.5, 0.3]) @ clients + 0.1 * rng.normal(size=6)
    normal = clients * curvature
    want = np.linalg.solve(normal @ clients.T, normal @ target)

    @jax.vmap
    def solve(unit):
        def loss(p):
            return unit * jnp.sum(jnp.asarray(curvature, dtype) * jnp.square(p - jnp.asarray(target, dtype)))

        return learn_aggregation(loss, jnp.asarray(clients, dtype))

    found = jax.jit(solve)(jnp.asarray([1e-4, 1.0, 1e4], dtype))
    assert np.all(np.asarray(found.status) == Status.CONVERGED)
    np.testing.assert_allclose(found.weights * found.shrinkage[:, None], [want] * 3, atol=1e-4)
