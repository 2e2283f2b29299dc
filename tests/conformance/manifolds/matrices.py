"""Cases of the manifolds of matrices: frames, subspaces, groups."""

import jax
import jax.numpy as jnp

from geojax import manifolds
from geojax.manifolds import Grassmann, SpecialOrthogonal, Stiefel
from tests.conformance.case import Case
from tests.conformance.manifold_case import EVERY, case

# `log` and `dist` are the solve that `squared_dist` makes, compiled once more.
ONE_SOLVE = tuple(name for name in EVERY if name not in ("parallel_transport", "log", "dist"))


def normal(key, shape, dtype):
    return jax.random.normal(key, shape, dtype)


CASES = [
    case(Grassmann(), (4, 2)),
    case(SpecialOrthogonal(), (4, 4)),
    case(Stiefel(0.8), (4, 2), operations=ONE_SOLVE),
    Case(
        "grassmann_logits",
        manifolds.frames.grassmann_logits,
        lambda key, dtype: (normal(key, (4,), dtype), normal(key, (3, 4, 2), dtype)),
        differentiable=(0, 1),
        edges={"a feature of zeros": lambda dtype: (jnp.zeros(4, dtype), jnp.ones((3, 4, 2), dtype))},
    ),
    Case(
        "householder_orthogonal",
        manifolds.frames.householder_orthogonal,
        lambda key, dtype: (normal(key, (2, 4), dtype),),
        differentiable=(0,),
        edges={"parallel vectors": lambda dtype: (jnp.ones((2, 4), dtype),)},
    ),
    Case(
        "householder_low_rank",
        manifolds.frames.householder_low_rank,
        lambda key, dtype: (
            normal(key, (2, 4), dtype),
            normal(jax.random.fold_in(key, 1), (2,), dtype),
            normal(jax.random.fold_in(key, 2), (2, 3), dtype),
        ),
        differentiable=(0, 1, 2),
        edges={
            "no singular value": lambda dtype: (
                jnp.ones((2, 4), dtype),
                jnp.zeros(2, dtype),
                jnp.ones((2, 3), dtype),
            )
        },
    ),
    Case(
        "nearest_orthogonal",
        manifolds.frames.nearest_orthogonal,
        lambda key, dtype: (normal(key, (4, 2), dtype),),
        differentiable=(0,),
        edges={"equal singular values": lambda dtype: (jnp.eye(4, 2, dtype=dtype),)},
    ),
]
