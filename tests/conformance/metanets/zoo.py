"""Cases of populations of networks."""

import functools

import jax
import jax.numpy as jnp

from geojax.metanets import mixup, population, weight_statistics
from geojax.symmetry import infer
from tests.conformance.case import Case


def make(key):
    init = lambda key: {"w": jax.random.normal(key, (3,))}
    train = lambda params, key: ({"w": params["w"] * jax.random.uniform(key)}, {"loss": jnp.sum(params["w"])})
    return population(init, train, key=key, num=2)


def tree(key, dtype):
    return {"b": jax.random.normal(key, (3,), dtype), "w": jax.random.normal(key, (2, 3), dtype)}


@functools.cache
def spec():
    mlp = lambda params, x: jax.nn.gelu(x @ params["w"]) @ params["v"]
    return infer(mlp, draw(jax.random.key(0), jnp.float64), jnp.ones((5, 2)), verify=False)


def draw(key, dtype):
    v, w = jax.random.split(key)
    return {"v": jax.random.normal(v, (3, 2), dtype), "w": jax.random.normal(w, (2, 3), dtype)}


def pair(key, dtype):
    return draw(key, dtype), draw(jax.random.fold_in(key, 1), dtype), jax.random.uniform(key, (), dtype)


def zeros(dtype):
    none = {"v": jnp.zeros((3, 2), dtype), "w": jnp.zeros((2, 3), dtype)}
    return none, none, jnp.zeros((), dtype)


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
    Case(
        "mixup",
        mixup,
        pair,
        call=lambda a, b, t: mixup(spec(), a, b, t, key=jax.random.key(2)),
        differentiable=(0, 1, 2),
        edges={"zero parameters": zeros},
    ),
]
