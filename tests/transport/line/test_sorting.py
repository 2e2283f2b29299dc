"""Sorting: numpy's answer on every path, and derivatives that carry tangents along."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from geojax.transport.line.sorting import argsort, ascending


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_matches_numpy(dtype):
    values = np.random.default_rng(0).normal(size=(3, 4, 50)).astype(dtype)
    values[0, 0, 3:9] = 1.5
    values[1, 1, 7], values[1, 2, 3] = np.nan, -np.inf
    want = np.sort(values)
    np.testing.assert_array_equal(ascending(values), want)
    each, order = jax.jit(lambda v: (jax.vmap(jax.vmap(ascending))(v), jax.vmap(argsort)(v)))(values)
    np.testing.assert_array_equal(each, want)
    np.testing.assert_array_equal(np.take_along_axis(values, np.asarray(order), axis=-1), want)
    assert ascending(values).dtype == dtype


@pytest.mark.full
def test_derivative_carries_tangents_along():
    values, change, weights = jax.random.normal(jax.random.key(1), (3, 2, 20))
    order = np.argsort(values)
    _, moved = jax.jvp(ascending, (values,), (change,))
    np.testing.assert_array_equal(moved, np.take_along_axis(np.asarray(change), order, -1))
    gradient = jax.grad(lambda v: jnp.vdot(weights, ascending(v)))(values)
    np.testing.assert_array_equal(np.take_along_axis(np.asarray(gradient), order, -1), weights)
    hessian = jax.hessian(lambda v: jnp.sum(jnp.arange(20) * ascending(v) ** 2))(values[0])
    np.testing.assert_allclose(np.diag(hessian)[order[0]], 2 * np.arange(20))


@pytest.mark.full
def test_concurrent_devices_do_not_deadlock():
    values = jax.random.normal(jax.random.key(2), (8, 100_000), jnp.float32)
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,))
    batch = PartitionSpec("batch")
    sharded = jax.jit(jax.shard_map(jax.vmap(ascending), mesh=mesh, in_specs=batch, out_specs=batch))
    for _ in range(3):
        result = sharded(values)
    np.testing.assert_array_equal(result, np.sort(values))
    assert result.sharding.spec == batch
