"""Cases of heat kernels."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import Sphere
from tests.conformance.case import Case

SPHERE = Sphere()


def unit_pair(key, dtype, size=3):
    k1, k2, k3 = jax.random.split(key, 3)
    x, y = (SPHERE.random_point(k, (size,), dtype=dtype) for k in (k1, k2))
    return x, y, jax.random.uniform(k3, (), dtype, minval=0.05, maxval=1.0)


def unit_directions(key, item):
    x, y, t = item
    return SPHERE.random_tangent(key, x), SPHERE.random_tangent(jax.random.fold_in(key, 1), y), 0.3 * t


def equal(size):
    def make(dtype):
        x, _, t = unit_pair(jax.random.key(0), dtype, size)
        return x, x, t

    return make


def in_su3(q):
    """The matrix of SU(2) that a unit quaternion stands for, in SU(3)."""
    a, b, c, d = q
    upper = jnp.stack([jax.lax.complex(a, b), jax.lax.complex(c, d)])
    lower = jnp.stack([jax.lax.complex(-c, d), jax.lax.complex(a, -b)])
    return jnp.eye(3, dtype=upper.dtype).at[:2, :2].set(jnp.stack([upper, lower]))


CASES = [
    Case(
        "sphere_heat_kernel",
        manifolds.heat.sphere_heat_kernel,
        unit_pair,
        differentiable=(0, 1, 2),
        directions=unit_directions,
        edges={"x = y": equal(3)},
        tolerance=1e-10,
    ),
    Case(
        "torus_heat_kernel",
        manifolds.heat.torus_heat_kernel,
        lambda key, dtype: unit_pair(key, dtype, 2),
        differentiable=(0, 1, 2),
        directions=unit_directions,
        edges={"x = y": equal(2)},
    ),
    Case(
        "su_heat_kernel",
        manifolds.heat.su_heat_kernel,
        lambda key, dtype: unit_pair(key, dtype, 4),
        call=lambda x, y, t: manifolds.heat.su_heat_kernel(in_su3(x), in_su3(y), t),
        differentiable=(0, 1, 2),
        directions=unit_directions,
        edges={"x = y": equal(4)},
        tolerance=1e-10,
        exemptions={"half_precision": "complex numbers have no half precision"},
    ),
]

DATA = {}
