"""Arrays divided along the Explicit axes of a mesh, the default of `jax.make_mesh`, are answered with what to write."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import geojax as gj

SPHERE = gj.manifolds.Sphere()
SPEC = gj.symmetry.infer(
    lambda p, x: jnp.tanh(x @ p[0]) @ p[1],
    [jnp.ones((2, 3)), jnp.ones((3, 1))],
    jnp.ones((4, 2)),
    verify=False,
)
CALLS = {
    "Sphere.exp": lambda x: SPHERE.exp(x, x),
    "frechet_mean": lambda x: gj.manifolds.frechet_mean(SPHERE, x[None]),
    "frechet_median": lambda x: gj.manifolds.frechet_median(SPHERE, x[None]),
    "geodesic_regression": lambda x: gj.manifolds.geodesic_regression(SPHERE, x[:1], x[None]),
    "weight_matching": lambda x: gj.symmetry.weight_matching(
        SPEC, [jnp.stack([x, x]), x[:, None]], [jnp.stack([x, x]), x[:, None]], key=jax.random.key(0)
    ),
}


def divided(kind):
    mesh = jax.make_mesh((4,), ("part",), axis_types=(kind,))
    return jax.device_put(jnp.ones((8, 3)), NamedSharding(mesh, PartitionSpec("part")))


@pytest.mark.parametrize("name", CALLS)
def test_an_explicit_axis_is_answered_with_the_mesh_to_make(name):
    with pytest.raises(
        ValueError, match=rf"{name}: an array is divided along the Explicit mesh axis 'part'.*Write"
    ):
        jax.eval_shape(jax.vmap(CALLS[name]), divided(AxisType.Explicit))
    jax.eval_shape(jax.vmap(CALLS[name]), divided(AxisType.Auto))
