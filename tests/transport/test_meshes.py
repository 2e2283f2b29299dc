"""Arrays on a mesh: what a mesh with Explicit axes, the default of jax.make_mesh, is answered with."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from geojax import transport

POINTS = np.random.default_rng(0).normal(size=(4, 5, 3))
CALLS = {
    "sinkhorn": lambda x: transport.sinkhorn(x, epsilon=0.5).cost,
    "sinkhorn_divergence": lambda x: transport.sinkhorn_divergence(x, x + 1, epsilon=0.5).value,
    "exact_transport": lambda x: transport.exact_transport(x).cost,
    "wasserstein_1d": lambda x: transport.wasserstein_1d(x[:, 0], x[:, 1]),
    "sliced_wasserstein": lambda x: transport.sliced_wasserstein(x, x, projections=np.eye(3)).value,
    "bures_wasserstein": lambda x: transport.bures_wasserstein(x.T @ x, 2 * x.T @ x),
    "gromov_wasserstein": lambda x: transport.gromov_wasserstein(x @ x.T, x @ x.T, epsilon=0.5).cost,
}


def divided(kind):
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(kind,))
    return jax.device_put(POINTS, NamedSharding(mesh, PartitionSpec("batch")))


@pytest.mark.parametrize("name", CALLS)
def test_explicit_axes_are_answered_with_what_to_write(name):
    x = divided(AxisType.Explicit)
    for run in (jax.vmap(CALLS[name]), jax.jit(jax.vmap(jax.grad(lambda x: CALLS[name](x))))):
        with pytest.raises(ValueError, match=rf"{name}: .*Explicit mesh axis .*AxisType\.Auto"):
            run(x)


@pytest.mark.full
@pytest.mark.parametrize("name", CALLS)
def test_auto_axes_and_whole_arrays_work(name):
    want = jax.vmap(CALLS[name])(POINTS)
    got = jax.jit(jax.vmap(CALLS[name]))(divided(AxisType.Auto))
    np.testing.assert_allclose(got, want, rtol=1e-5)
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Explicit,))
    whole = jax.device_put(POINTS[0], NamedSharding(mesh, PartitionSpec()))
    np.testing.assert_allclose(CALLS[name](whole), want[0], rtol=1e-5)
