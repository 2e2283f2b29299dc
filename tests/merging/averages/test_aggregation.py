"""Federated aggregation: known limits, quadratic clients with a closed form, and a client made of noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import Status
from geojax.merging import aggregate, average, client_coherence, learn_aggregation


def test_shares_of_the_data_give_federated_averaging():
    stack, sizes = jax.random.normal(jax.random.key(0), (3, 4)), jnp.array([10.0, 20.0, 70.0])
    np.testing.assert_allclose(aggregate(stack, sizes / 100), average(stack, sizes), rtol=1e-13)
    np.testing.assert_allclose(aggregate(stack, sizes / 100, 0.9), 0.9 * average(stack, sizes), rtol=1e-13)


def test_quadratic_clients_reach_the_closed_form():
    """With a target gamma sum w_i theta_i inside the cone of independent clients the minimum is there."""
    stack = jnp.linalg.qr(jax.random.normal(jax.random.key(1), (6, 3)))[0].T + 0.2
    weights, shrinkage = jnp.array([0.2, 0.3, 0.5]), 0.8
    target = aggregate(stack, weights, shrinkage)
    found = learn_aggregation(lambda p: jnp.sum((p - target) ** 2), stack, tol=1e-9, max_steps=5000)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.weights, weights, atol=1e-6)
    np.testing.assert_allclose(found.shrinkage, shrinkage, rtol=1e-6)
    np.testing.assert_allclose(found.params, target, atol=1e-7)


def test_a_noise_client_loses_weight_and_coherent_ones_are_seen():
    key = jax.random.key(2)
    direction = jax.random.normal(key, (20,))
    noise = jax.random.normal(jax.random.fold_in(key, 1), (3, 20))
    stack = jnp.stack([direction + 0.1 * noise[0], direction + 0.1 * noise[1], 2 * noise[2]])
    found = learn_aggregation(lambda p: jnp.mean((p - direction) ** 2), stack, tol=1e-4)
    assert found.weights[2] < 0.05
    cosines = client_coherence(jnp.zeros(20), stack)
    assert cosines[0, 1] > 0.9 > abs(cosines[0, 2]) + 0.3


def test_shrinkage_acts_as_weight_decay_to_first_order():
    """loss(gamma p) = loss(p) - (1 - gamma) <p, grad loss(p)> + O((1 - gamma)^2)."""
    p = jax.random.normal(jax.random.key(3), (1, 5))

    def loss(x):
        return jnp.sum(jnp.cosh(x))

    first = jnp.vdot(p[0], jax.grad(loss)(p[0]))
    for small in (1e-3, 1e-4):
        change = (loss(aggregate(p, jnp.ones(1), 1 - small)) - loss(p[0])) / small
        np.testing.assert_allclose(change, -first, rtol=5 * small)


def test_bad_input_says_what_is_wrong():
    bad = learn_aggregation(lambda p: jnp.sum(p) * jnp.nan, jnp.ones((2, 3)))
    assert bad.status == Status.NONFINITE
    with pytest.raises(ValueError, match="weights has shape"):
        aggregate(jnp.ones((2, 3)), jnp.ones(3))
