"""Cases of layers for points in space."""

import jax
import jax.numpy as jnp

from geojax import equivariant
from tests.conformance.case import Case, exempt_all

DRAWN = exempt_all("draws parameters from a key alone", but=("docstring", "jit_equals_eager"))


def drawn(name, draw):
    """The case of a function that draws parameters."""
    return Case(name, getattr(equivariant, name), lambda key, dtype: (key,), call=draw, exemptions=DRAWN)


def cast(theta, dtype):
    return jax.tree.map(lambda leaf: leaf.astype(dtype), theta)


def egnn(key):
    return equivariant.egnn_init(1, width=2, velocity=True, key=key)


def egnn_arguments(key, dtype):
    k1, k2, k3, k4 = jax.random.split(key, 4)
    normal = jax.random.normal
    return (
        cast(egnn(k1), dtype),
        normal(k2, (3, 1), dtype),
        normal(k3, (3, 2), dtype),
        normal(k4, (3, 2), dtype),
    )


def coincident(dtype):
    theta, h, x, v = egnn_arguments(jax.random.key(0), dtype)
    return theta, h, 0 * x, 0 * v


def plane(key):
    return equivariant.position_orientation_init(1, 2, width=2, key=key)


def oriented(key, dtype):
    """theta, f, positions, orientations."""
    k1, k2, k3, k4 = jax.random.split(key, 4)
    normal = jax.random.normal
    grid = normal(k4, (3, 3), dtype)
    grid = grid / jnp.sqrt(jnp.sum(grid**2, axis=1, keepdims=True))
    return cast(plane(k1), dtype), normal(k2, (2, 3, 1), dtype), normal(k3, (2, 3), dtype), grid


def in_one_place(dtype):
    theta, f, positions, grid = oriented(jax.random.key(0), dtype)
    return theta, f, 0 * positions, grid


def two_poses(key, dtype):
    p, n, q, m = jax.random.normal(key, (4, 3), dtype)
    return p, n, q, m


def along(dtype):
    p, n, _, m = two_poses(jax.random.key(0), dtype)
    return p, n, p, m


def grouped(key):
    return equivariant.set_abstraction_init(1, 2, width=2, dimension=2, key=key)


def cloud(key, dtype):
    """theta, x, features, radius."""
    k1, k2, k3 = jax.random.split(key, 3)
    x = jax.random.normal(k2, (4, 2), dtype)
    return cast(grouped(k1), dtype), x, jax.random.normal(k3, (4, 1), dtype), jnp.asarray(2, dtype)


def in_one_point(dtype):
    theta, x, features, radius = cloud(jax.random.key(0), dtype)
    return theta, 0 * x, features, radius


def far_and_near(key, dtype):
    """x, centers, features."""
    k1, k2, k3 = jax.random.split(key, 3)
    normal = jax.random.normal
    return normal(k1, (2, 2), dtype), normal(k2, (4, 2), dtype), normal(k3, (4, 1), dtype)


def at_the_centres(dtype):
    _, centers, features = far_and_near(jax.random.key(0), dtype)
    return centers[:2], centers, features


CASES = [
    Case(
        "ball_query",
        equivariant.ball_query,
        lambda key, dtype: (*far_and_near(key, dtype)[:2], jnp.asarray(9, dtype)),
        call=lambda x, centers, radius: equivariant.ball_query(centers, x, radius, 3),
        differentiable=(0, 1),
        output=lambda result: result[1],
        edges={"at the centres": lambda dtype: (*at_the_centres(dtype)[:2], jnp.asarray(9, dtype))},
        nan_arguments=(0, 1),
    ),
    drawn("set_abstraction_init", grouped),
    Case(
        "set_abstraction",
        equivariant.set_abstraction,
        cloud,
        call=lambda theta, x, features, radius: equivariant.set_abstraction(
            theta, x, features, num_centers=2, radius=radius, num=3
        ),
        differentiable=(0, 1, 2, 3),
        edges={"in one point": in_one_point},
    ),
    Case(
        "interpolate_features",
        equivariant.interpolate_features,
        far_and_near,
        differentiable=(0, 1, 2),
        edges={"at the centres": at_the_centres},
    ),
    drawn("egnn_init", egnn),
    Case(
        "egnn_layer",
        equivariant.egnn_layer,
        egnn_arguments,
        call=lambda theta, h, x, v: equivariant.egnn_layer(theta, h, x, v=v),
        differentiable=(0, 1, 2, 3),
        edges={"coincident points": coincident},
    ),
    Case(
        "position_orientation_invariants",
        equivariant.position_orientation_invariants,
        two_poses,
        differentiable=(0, 1, 2, 3),
        edges={"in one place": along},
    ),
    drawn("position_orientation_init", plane),
    Case(
        "position_orientation_conv",
        equivariant.position_orientation_conv,
        oriented,
        differentiable=(0, 1, 2, 3),
        edges={"in one place": in_one_place},
    ),
]

DATA: dict[str, str] = {}
