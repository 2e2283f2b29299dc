"""Weights carried along a planted isometry, and what leaves them alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.transport import gw_barycentric_init

N, D, R = 8, 3, 4


@jax.jit
def planted(key):
    """A cloud, the same cloud rotated, with a coordinate of zeros, in another order, and weights."""
    keys = jax.random.split(key, 4)
    x = jax.random.normal(keys[0], (N, D))
    rotation = jnp.linalg.qr(jax.random.normal(keys[1], (D, D)))[0]
    order = jax.random.permutation(keys[2], N)
    y = jnp.concatenate([x @ rotation, jnp.zeros((N, 1))], axis=1)[order]
    return x, y, jax.random.normal(keys[3], (N, R)), order


@jax.jit
def carry(x, y, weights, key):
    return gw_barycentric_init(x, y, weights, epsilon=0.01, key=key, num_starts=4)


@pytest.mark.parametrize(
    "seeds, at_least", [((2, 3), 2), pytest.param(range(5), 4, marks=pytest.mark.full)], ids=["two", "five"]
)
def test_recovers_planted_weights(seeds, at_least):
    """Within five percent on at least four of five clouds; if two points nearly coincide the entropy mixes them."""
    recovered = 0
    for seed in seeds:
        x, y, weights, order = map(np.asarray, planted(jax.random.key(seed)))
        carried = carry(x, y, weights, jax.random.key(seed + 10))
        recovered += bool(np.linalg.norm(carried - weights[order]) <= 0.05 * np.linalg.norm(weights))
    assert recovered >= at_least


@pytest.mark.full
def test_isometries_and_units_change_nothing_and_orders_follow():
    x, y, weights, _ = planted(jax.random.key(20))
    plain = carry(x, y, weights, jax.random.key(0))
    turn = jnp.linalg.qr(jax.random.normal(jax.random.key(21), (D, D)))[0]
    np.testing.assert_allclose(carry(x @ turn + 2, 3 * y - 1, weights, jax.random.key(0)), plain, atol=1e-6)
    order = jax.random.permutation(jax.random.key(22), N)
    np.testing.assert_allclose(carry(x, y[order], weights, jax.random.key(0)), plain[order], atol=1e-3)


@pytest.mark.full
def test_carrying_is_linear_and_keeps_constants():
    x, y, weights, _ = planted(jax.random.key(23))
    key = jax.random.key(1)
    np.testing.assert_allclose(carry(x, y, jnp.ones((N, R)), key), 1, atol=1e-5)
    np.testing.assert_allclose(carry(x, y, 2 * weights, key), 2 * carry(x, y, weights, key), atol=1e-9)


def test_bad_input_is_named():
    x, y, weights = np.ones((N, D)), np.ones((N, D + 1)), np.ones((N, R))
    with pytest.raises(ValueError, match="gw_barycentric_init: weights"):
        gw_barycentric_init(x, y, weights[:3], epsilon=0.02, key=jax.random.key(0))
    with pytest.raises(TypeError, match="typed random key"):
        gw_barycentric_init(x, y, weights, epsilon=0.02, key=jax.random.PRNGKey(0))
