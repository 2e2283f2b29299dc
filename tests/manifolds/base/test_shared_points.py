"""Points that all devices of a mesh hold, beside tangents that are divided over them, against no mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from geojax.manifolds import (
    Correlation,
    GeneralLinear,
    SPDAffineInvariant,
    SPDBuresWasserstein,
    SPDLogCholesky,
)
from geojax.manifolds.spd import KernelMetric, affine_invariant_kernel, hamiltonian_geodesic

MESH = jax.make_mesh((4,), ("devices",), axis_types=(AxisType.Auto,))
WHOLE, PARTS = PartitionSpec(), PartitionSpec("devices")


def check(function, x, u):
    """Values and gradients of function(x, u[i]) over the devices are those without."""

    def slope(batched):
        def value(x, u):
            found = batched(x, u)
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(found)), found

        return jax.jit(jax.value_and_grad(value, (0, 1), has_aux=True))

    alone = jax.vmap(function, (None, 0))
    divided = jax.shard_map(alone, mesh=MESH, in_specs=(WHOLE, PARTS), out_specs=PARTS)
    for ours, theirs in zip(*(jax.tree.leaves(slope(batched)(x, u)) for batched in (divided, alone))):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def draw(space, shape):
    x = space.random_point(jax.random.key(0), shape)
    return x, jax.vmap(lambda key: space.random_tangent(key, x))(jax.random.split(jax.random.key(1), 4)) / 4


@pytest.mark.parametrize(
    "space, shape",
    [
        (SPDLogCholesky(), (2, 2)),
        pytest.param(GeneralLinear(), (2, 2), marks=pytest.mark.full),
        pytest.param(SPDBuresWasserstein(), (2, 2), marks=pytest.mark.full),
        pytest.param(Correlation(), (3, 3), marks=pytest.mark.full),
    ],
)
def test_operations_take_a_shared_point_and_divided_tangents(space, shape):
    """JAX's errors about varying axes came from derivatives and carries within the operations."""

    def every(x, u):
        y = space.retract(x, u)
        calls = {"exp": (x, u), "log": (x, y), "riemannian_gradient": (x, u), "parallel_transport": (x, y, u)}
        return [getattr(space, name)(*values) for name, values in calls.items() if hasattr(space, name)]

    check(every, *draw(space, shape))


@pytest.mark.full
def test_a_hamiltonian_geodesic_from_a_shared_point():
    space = KernelMetric(affine_invariant_kernel)

    def end(x, u):
        return hamiltonian_geodesic(space, x, u, 1.0, num_steps=4).point

    check(end, *draw(SPDAffineInvariant(), (2, 2)))
