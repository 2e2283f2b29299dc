"""Cases of populations of networks."""

import jax
import jax.numpy as jnp

from geojax.metanets import population, weight_statistics
from tests.conformance.case import Case


def make(key):
    init = lambda key: {"w": jax.random.normal(key, (3,))}
    train = lambda params, key: ({"w": params["w"] * jax.random.uniform(key)}, {"loss": jnp.sum(params["w"])})
    return population(init, train, key=key, num=2)


def tree(key, dtype):
    return {"b": jax.random.normal(key, (3,), dtype), "w": jax.random.normal(key, (2, 3), dtype)}


ALONE = (
    "dtypes_kept",
    "nan_is_honest",
    "gradient_matches_differences",
    "forward_equals_reverse",
    "gradient_finite_at_edges",
)

CASES = [
    Case(
        "population",
        population,
        lambda key, dtype: (key,),
        call=make,
        exemptions=dict.fromkeys(ALONE, "takes a key alone, no floating argument"),
    ),
    Case(
        "weight_statistics",
        weight_statistics,
        lambda key, dtype: (tree(key, dtype),),
        differentiable=(0,),
        edges={"equal weights": lambda dtype: (jax.tree.map(jnp.ones_like, tree(jax.random.key(0), dtype)),)},
    ),
]
