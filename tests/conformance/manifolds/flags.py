"""Cases of weighted flags."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import Grassmann
from tests.conformance.case import Case


def covariance(key, dtype):
    """Of distinct eigenvalues."""
    vectors = Grassmann().random_point(key, (3, 3), dtype=dtype)
    return (vectors * jnp.asarray([3, 2, 1], dtype)) @ vectors.T


def changes(key, dtype):
    s, u, v = (covariance(k, dtype) for k in jax.random.split(key, 3))
    return s, u, v


def subspaces(key, dtype):
    one, other = jax.random.split(key)
    x = Grassmann().random_point(one, (4, 1), dtype=dtype)
    y = Grassmann().random_point(other, (4, 2), dtype=dtype)
    return x, y, jnp.asarray(0.3, dtype)


def shapes(key, dtype):
    def shape(key):
        one, two, three = jax.random.split(key, 3)
        flags = jnp.stack([covariance(k, dtype) for k in jax.random.split(two)])
        return jax.random.normal(one, (2, 3), dtype), flags, jax.random.uniform(three, (2,), dtype)

    first, second = jax.random.split(key)
    return (*shape(first), *shape(second), jnp.asarray(1.0, dtype))


CASES = [
    Case(
        "flag_from_covariance",
        manifolds.frames.flag_from_covariance,
        lambda key, dtype: (covariance(key, dtype),),
        output=lambda result: result.weights,
        differentiable=(0,),
        edges={"one weight": lambda dtype: (jnp.eye(3, dtype=dtype),)},
    ),
    Case(
        "embed_subspace",
        manifolds.frames.embed_subspace,
        lambda key, dtype: (Grassmann().random_point(key, (3, 2), dtype=dtype),),
        differentiable=(0,),
        edges={"axes": lambda dtype: (jnp.eye(3, 2, dtype=dtype),)},
    ),
    Case(
        "stratified_metric",
        manifolds.frames.stratified_metric,
        changes,
        differentiable=(0, 1, 2),
        edges={"diagonal": lambda dtype: (jnp.diag(jnp.asarray([3, 2, 1], dtype)),) * 3},
    ),
    Case(
        "flag_geodesic",
        manifolds.frames.flag_geodesic,
        subspaces,
        differentiable=(2,),
        edges={
            "a line in a plane": lambda dtype: (
                jnp.eye(4, 1, dtype=dtype),
                jnp.eye(4, 2, dtype=dtype),
                jnp.ones((), dtype),
            )
        },
    ),
    Case(
        "flagfold_kernel",
        manifolds.frames.flagfold_kernel,
        shapes,
        call=lambda *arguments: manifolds.frames.flagfold_kernel(*arguments[:-1], width=arguments[-1]),
        differentiable=(0, 1, 2, 3, 4, 5, 6),
        edges={"equal": lambda dtype: (*shapes(jax.random.key(0), dtype)[:3] * 2, jnp.ones((), dtype))},
    ),
]

DATA = {"WeightedFlag": "what flag_from_covariance returns"}
