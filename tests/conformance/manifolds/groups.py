"""Cases of the linear groups, their polar coordinates, and matrices of fixed rank."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import (
    AffineGroup,
    FixedRank,
    Flag,
    GeneralLinear,
    SpecialLinear,
    SpecialOrthogonal,
    SpecialUnitary,
)
from tests.conformance.case import Case
from tests.conformance.manifold_case import EVERY, PAIR, case

FLAT = tuple(name for name in EVERY if name not in PAIR)


def matrix(key, dtype):
    return GeneralLinear().random_point(key, (2, 2), dtype=dtype)


def identity(dtype):
    return (jnp.eye(2, dtype=dtype),)


def affine(key, dtype):
    return jnp.eye(3, dtype=dtype).at[:2, :2].set(matrix(key, dtype)).at[:2, 2].set(1)


def unitaries(key, dtype):
    """Two points, a tangent at the first, and directions that stay: all as pairs of real matrices."""
    k1, k2, k3 = jax.random.split(key, 3)
    x, y = (SpecialUnitary().random_point(k, (2, 2), dtype=dtype) for k in (k1, k2))
    return tuple(pair(z) for z in (x, y, SpecialUnitary().random_tangent(k3, x)))


def pair(z):
    return jnp.stack([z.real, z.imag])


def on_unitaries(*pairs):
    x, y, u = (jax.lax.complex(*z) for z in pairs)
    space = SpecialUnitary()
    return pair(space.exp(x, u)), pair(space.log(x, y)), space.squared_dist(x, y)


def along_unitaries(key, item):
    x, y, _ = (jax.lax.complex(*z) for z in item)
    k1, k2, k3 = jax.random.split(key, 3)
    moves = (SpecialUnitary().random_tangent(k, z) for k, z in ((k1, x), (k2, y), (k3, x)))
    return tuple(pair(v) for v in moves)


def equal_unitaries(dtype):
    x, _, u = unitaries(jax.random.key(0), dtype)
    return x, x, jnp.zeros_like(u)


CASES = [
    case(AffineGroup(), (3, 3), operations=("inner", "exp"), grid=False),
    case(Flag((1, 2)), (3, 2), operations=("to_tangent", "inner", "retract", "exp"), grid=False),
    Case(
        "SpecialUnitary",
        SpecialUnitary,
        unitaries,
        call=on_unitaries,
        differentiable=(0, 1, 2),
        directions=along_unitaries,
        edges={"equal": equal_unitaries},
        tolerance=1e-9,
        exemptions={"half_precision": "complex numbers have no half precision"},
    ),
    case(FixedRank(1), (3, 2), operations=FLAT, grid=False),
    case(GeneralLinear(), (2, 2), operations=("inner", "exp", "squared_dist")),
    case(SpecialLinear(), (2, 2), operations=("to_tangent", "inner", "log")),
    Case(
        "gl_polar",
        manifolds.gl_polar,
        lambda key, dtype: (matrix(key, dtype),),
        differentiable=(0,),
        edges={"the identity": identity},
    ),
    Case(
        "gl_log",
        manifolds.gl_log,
        lambda key, dtype: (matrix(key, dtype),),
        differentiable=(0,),
        edges={"the identity": identity},
        tolerance=1e-10,
    ),
    Case(
        "gl_exp",
        manifolds.gl_exp,
        lambda key, dtype: tuple(jax.random.normal(key, (2, 2, 2), dtype)),
        differentiable=(0, 1),
        edges={"zero": lambda dtype: (jnp.zeros((2, 2), dtype),) * 2},
    ),
    Case(
        "affine_kernel_coords",
        manifolds.spd.affine_kernel_coords,
        lambda key, dtype: (affine(key, dtype),),
        differentiable=(0,),
        edges={"the identity": lambda dtype: (jnp.eye(3, dtype=dtype),)},
        tolerance=1e-10,
    ),
    Case(
        "haar_sample",
        manifolds.haar_sample,
        lambda key, dtype: (key, jnp.asarray(0.7, dtype)),
        call=lambda key, scale: manifolds.haar_sample(
            key, GeneralLinear(), 2, scale=scale, dtype=scale.dtype
        ),
        differentiable=(1,),
        edges={"narrow": lambda dtype: (jax.random.key(0), jnp.asarray(1e-3, dtype))},
    ),
    Case(
        "invariant_average",
        manifolds.invariant_average,
        lambda key, dtype: (key, jnp.asarray(0.7, dtype)),
        call=lambda key, a: manifolds.invariant_average(
            lambda r: jnp.sum(a * r[0] ** 2), SpecialOrthogonal(), 2, key=key, num_samples=4, dtype=a.dtype
        ),
        differentiable=(1,),
        edges={"zero": lambda dtype: (jax.random.key(0), jnp.zeros((), dtype))},
    ),
]

DATA = {"HaarSample": "what haar_sample returns"}
