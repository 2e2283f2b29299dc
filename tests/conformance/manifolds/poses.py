"""Cases of rigid motions and poses of space."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import SpecialEuclidean, SpecialOrthogonal
from tests.conformance.case import Case
from tests.conformance.manifold_case import case

JOINTS = 4


def twist(key, dtype):
    return 0.5 * jax.random.normal(key, (6,), dtype)


def points(key, dtype):
    return jax.random.normal(key, (2, JOINTS, 3), dtype)


def turn(key, dtype):
    return SpecialOrthogonal().random_point(key, (3, 3), dtype=dtype)


def along_turns(key, item):
    return tuple(
        SpecialOrthogonal().random_tangent(k, r) for k, r in zip(jax.random.split(key, len(item)), item)
    )


def fit(target, start):
    """The motion that takes four fixed points to the targets."""
    fixed = jnp.eye(JOINTS, 3, dtype=start.dtype)

    def residual(transform):
        return (fixed @ transform[:3, :3].T + transform[:3, 3] - target).ravel()

    return manifolds.poses.se3_gauss_newton(residual, start, max_steps=6)


CASES = [
    case(SpecialEuclidean(), (3, 3)),
    Case(
        "se3_exp",
        manifolds.poses.se3_exp,
        lambda key, dtype: (twist(key, dtype),),
        differentiable=(0,),
        edges={"no motion": lambda dtype: (jnp.zeros(6, dtype),)},
    ),
    Case(
        "se3_log",
        manifolds.poses.se3_log,
        lambda key, dtype: (manifolds.poses.se3_exp(twist(key, dtype)),),
        differentiable=(0,),
        directions=lambda key, item: (SpecialEuclidean().random_tangent(key, item[0]),),
        edges={
            "the identity": lambda dtype: (jnp.eye(4, dtype=dtype),),
            "a half turn": lambda dtype: (jnp.diag(jnp.asarray([1, -1, -1, 1], dtype)),),
        },
        exemptions={"nan_is_honest": "the last row of a homogeneous matrix is not read"},
    ),
    Case(
        "se3_gauss_newton",
        manifolds.poses.se3_gauss_newton,
        lambda key, dtype: (points(key, dtype)[0], manifolds.poses.se3_exp(twist(key, dtype))),
        call=fit,
        exemptions={
            "gradient_matches_differences": "the loop has no derivative in reverse mode",
            "forward_equals_reverse": "the loop has no derivative in reverse mode",
            "gradient_finite_at_edges": "the loop has no derivative in reverse mode",
        },
    ),
    Case(
        "so3_from_6d",
        manifolds.poses.so3_from_6d,
        lambda key, dtype: (jax.random.normal(key, (3, 2), dtype),),
        differentiable=(0,),
        edges={"orthonormal": lambda dtype: (jnp.eye(3, 2, dtype=dtype),)},
    ),
    Case(
        "so3_geodesic",
        manifolds.poses.so3_geodesic,
        lambda key, dtype: tuple(turn(k, dtype) for k in jax.random.split(key)),
        differentiable=(0, 1),
        directions=along_turns,
        edges={
            "equal": lambda dtype: (jnp.eye(3, dtype=dtype),) * 2,
            "opposite": lambda dtype: (jnp.eye(3, dtype=dtype), jnp.diag(jnp.asarray([1, -1, -1], dtype))),
        },
    ),
    Case(
        "procrustes_align",
        manifolds.poses.procrustes_align,
        lambda key, dtype: tuple(points(key, dtype)),
        differentiable=(0, 1),
        edges={"equal": lambda dtype: (points(jax.random.key(0), dtype)[0],) * 2},
        tolerance=1e-10,
    ),
    Case(
        "pa_mpjpe",
        manifolds.poses.pa_mpjpe,
        lambda key, dtype: tuple(points(key, dtype)),
        differentiable=(0, 1),
        edges={"equal": lambda dtype: (points(jax.random.key(0), dtype)[0],) * 2},
        tolerance=1e-10,
    ),
    Case(
        "forward_kinematics",
        manifolds.poses.forward_kinematics,
        lambda key, dtype: (
            jnp.stack([turn(k, dtype) for k in jax.random.split(key, JOINTS)]),
            points(key, dtype)[0],
        ),
        call=lambda *arguments: manifolds.poses.forward_kinematics((-1, 0, 1, 0), *arguments),
        differentiable=(0, 1),
        edges={
            "at rest": lambda dtype: (
                jnp.tile(jnp.eye(3, dtype=dtype), (JOINTS, 1, 1)),
                jnp.zeros((JOINTS, 3), dtype),
            )
        },
    ),
]

DATA = {
    "PoseResult": "what se3_gauss_newton returns",
    "Similarity": "what procrustes_align returns",
}
