"""Cases of products, powers, quotients and the spaces of constant curvature."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import (
    Euclidean,
    Hyperbolic,
    Lorentz,
    Oblique,
    PoincareBall,
    Power,
    Product,
    ShapeSpace,
    Simplex,
    Sphere,
    SymmetricPower,
    Torus,
)
from geojax.transport import assignment
from tests.conformance.case import Case
from tests.conformance.manifold_case import case

# What the others are made of: each of its three forms is a program of its own, and slow to compile.
HYPERBOLIC = ("norm", "retract", "vector_transport", "exp", "squared_dist", "parallel_transport")

SHAPES = (
    "project",
    "to_tangent",
    "inner",
    "norm",
    "retract",
    "vector_transport",
    "exp",
    "log",
    "squared_dist",
)


def margin(key, dtype):
    """Points and labels, and a hyperplane to either side of which some lie; no point near the hinge."""
    points = jnp.asarray([[0.3, 0.2], [2.0, -1.0], [-0.5, 0.4]], dtype)
    points = points + 0.05 * jax.random.normal(key, points.shape, dtype)
    labels = jnp.asarray([1.0, -1.0, -1.0], dtype)
    return points, labels, jnp.asarray([0.8, 0.5], dtype), jnp.asarray(0.1, dtype), jnp.asarray(1.5, dtype)


def plane(key, dtype):
    points, _, normal, offset, _ = margin(key, dtype)
    return points[0], normal, offset


def at_the_origin(dtype):
    return jnp.zeros(2, dtype), jnp.asarray([0.8, 0.5], dtype), jnp.asarray(0.0, dtype)


def all_at_the_origin(dtype):
    _, labels, normal, offset, penalty = margin(jax.random.key(0), dtype)
    return jnp.zeros((3, 2), dtype), labels, normal, offset, penalty


CASES = [
    case(Product({"a": Sphere(), "b": (Euclidean(), Euclidean())}), {"a": (3,), "b": ((2,), (2,))}),
    case(Power(Sphere()), (2, 3)),
    case(PoincareBall(), (3,)),
    case(Lorentz(), (3,)),
    case(Hyperbolic(), (2,), operations=HYPERBOLIC),
    case(Oblique(), (3, 2)),
    case(Torus(), (2,)),
    case(Simplex(), (3,), radius=0.05),
    case(SymmetricPower(Sphere(), assignment), (2, 3), radius=0.1, grid=False),
    case(ShapeSpace(), (3, 2), operations=SHAPES, radius=0.3),
    Case(
        "hyperplane_distance",
        manifolds.hyperbolic.hyperplane_distance,
        plane,
        differentiable=(0, 1, 2),
        edges={"the origin on the hyperplane": at_the_origin},
    ),
    Case(
        "lorentz_svm_loss",
        manifolds.hyperbolic.lorentz_svm_loss,
        margin,
        call=lambda points, labels, normal, offset, penalty: manifolds.hyperbolic.lorentz_svm_loss(
            points, labels, normal, offset, penalty=penalty
        ),
        differentiable=(0, 2, 3, 4),
        edges={"all points at the origin": all_at_the_origin},
    ),
]
