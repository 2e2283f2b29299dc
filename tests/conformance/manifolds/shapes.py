"""Cases of shapes in space: registration, frames, distances to triangles, means up to a group."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from tests.conformance.case import Case

PIECEWISE = "the result is piecewise constant in the points"
LEVELS = 5


def cloud(key, dtype):
    """Points, an invariant feature of each, and levels of it."""
    k1, k2 = jax.random.split(key)
    return (
        jax.random.normal(k1, (8, 3), dtype),
        jax.random.uniform(k2, (8,), dtype, maxval=LEVELS - 1),
        jnp.arange(LEVELS, dtype=dtype),
    )


def moments(key, dtype):
    k1, k2 = jax.random.split(key)
    rows = jnp.concatenate([jnp.ones((LEVELS, 1), dtype), jax.random.normal(k1, (LEVELS, 3), dtype)], axis=1)
    # Near each other, so that the best rotation is unique.
    return rows, rows + 0.2 * jax.random.uniform(k2, rows.shape, dtype)


def several_moments(key, dtype):
    return jax.vmap(lambda k: moments(k, dtype))(jax.random.split(key, 2))


def strand(key, dtype):
    k1, k2 = jax.random.split(key)
    along = jnp.asarray([1.0, 0.0, 0.0], dtype) * jnp.arange(5, dtype=dtype)[:, None]
    normal = jnp.asarray([0.0, 1.0, 1.0], dtype) + 0.2 * jax.random.normal(k2, (3,), dtype)
    return along + 0.2 * jax.random.normal(k1, (5, 3), dtype), normal


def soup(key, dtype):
    k1, k2 = jax.random.split(key)
    return 2 * jax.random.normal(k1, (4, 3), dtype), jax.random.normal(k2, (3, 3, 3), dtype)


def on_a_corner(dtype):
    points, triangles = soup(jax.random.key(0), dtype)
    return points.at[0].set(triangles[0, 0]), triangles


def sample(key, dtype):
    return (jax.random.normal(key, (6, 2), dtype) + jnp.asarray([2.0, 0.0], dtype),)


def flip(x, m):
    return jnp.where(jnp.vdot(x, m) < 0, -x, x)


def straight(dtype):
    curve, normal = strand(jax.random.key(0), dtype)
    return jnp.arange(5, dtype=dtype)[:, None] * curve[1], normal


CASES = [
    Case(
        "ume_matrix",
        manifolds.poses.ume_matrix,
        cloud,
        differentiable=(0, 1, 2),
        edges={"points agree": lambda dtype: (jnp.ones((8, 3), dtype), *cloud(jax.random.key(0), dtype)[1:])},
    ),
    Case(
        "ume_register",
        manifolds.poses.ume_register,
        moments,
        differentiable=(0, 1),
        edges={"no motion": lambda dtype: (moments(jax.random.key(0), dtype)[0],) * 2},
        tolerance=1e-10,
    ),
    Case(
        "ume_subspace_distance",
        manifolds.poses.ume_subspace_distance,
        moments,
        differentiable=(0, 1),
        edges={"no motion": lambda dtype: (moments(jax.random.key(0), dtype)[0],) * 2},
        tolerance=1e-10,
    ),
    Case(
        "ume_contrastive_loss",
        manifolds.poses.ume_contrastive_loss,
        several_moments,
        differentiable=(0, 1),
        edges={"no motion": lambda dtype: (several_moments(jax.random.key(0), dtype)[0],) * 2},
        tolerance=1e-9,
    ),
    Case(
        "sampling_equalizer",
        manifolds.poses.sampling_equalizer,
        lambda key, dtype: cloud(key, dtype)[:1],
        call=lambda points: manifolds.poses.sampling_equalizer(points, voxel=1.0),
        exemptions={
            "gradient_matches_differences": PIECEWISE,
            "forward_equals_reverse": PIECEWISE,
            "gradient_finite_at_edges": PIECEWISE,
        },
    ),
    Case(
        "bishop_frame",
        manifolds.curves.bishop_frame,
        strand,
        differentiable=(0, 1),
        edges={"a straight line": straight},
    ),
    Case(
        "point_triangle_udf",
        manifolds.meshes.point_triangle_udf,
        soup,
        differentiable=(0, 1),
        output=lambda result: (result.dist, result.nearest),
        edges={"a corner": on_a_corner},
    ),
    Case(
        "quotient_frechet_mean",
        manifolds.statistics.quotient_frechet_mean,
        sample,
        call=lambda points: manifolds.statistics.quotient_frechet_mean(points, flip, tol=1e-9),
        differentiable=(0,),
        output=lambda result: result.point,
        edges={"points agree": lambda dtype: (jnp.ones((6, 2), dtype),)},
    ),
    Case(
        "consistency_bias",
        manifolds.statistics.consistency_bias,
        lambda key, dtype: (key, jnp.asarray([1.0, 0.5], dtype), jnp.asarray(0.3, dtype)),
        call=lambda key, template, sigma: manifolds.statistics.consistency_bias(
            template, sigma, flip, key=key, num_samples=16
        ),
        differentiable=(1, 2),
        edges={
            "some noise": lambda dtype: (
                jax.random.key(0),
                jnp.asarray([0.1, 0.0], dtype),
                jnp.ones((), dtype),
            )
        },
    ),
]

DATA = {
    "RigidMotion": "what ume_register returns",
    "TriangleDistance": "what point_triangle_udf returns",
}
