"""Cases of networks on weights, and of what they read."""

import functools

import jax
import jax.numpy as jnp

from geojax.metanets import features, fix_gauge
from geojax.symmetry import infer
from tests.conformance.case import Case

SHAPES = {"v": (3, 2), "w": (2, 3)}


def relu(params, x):
    return jax.nn.relu(x @ params["w"]) @ params["v"]


def draw(key, dtype):
    keys = jax.random.split(key, len(SHAPES))
    return {name: jax.random.normal(k, shape, dtype) for k, (name, shape) in zip(keys, SHAPES.items())}


def zeros(dtype):
    return {name: jnp.zeros(shape, dtype) for name, shape in SHAPES.items()}


@functools.cache
def spec():
    return infer(relu, draw(jax.random.key(0), jnp.float64), jnp.ones((5, 2)), verify=False)


@functools.cache
def permutations():
    groups = spec().groups
    return spec().without(*(name for name, group in groups.items() if group.kind != "permutation"))


CASES = [
    Case(
        "features",
        features,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: features(permutations(), params),
        differentiable=(0,),
        edges={"zero parameters": lambda dtype: (zeros(dtype),)},
    ),
    Case(
        "fix_gauge",
        fix_gauge,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: fix_gauge(spec(), params, tol=1e-5),
        exemptions=dict.fromkeys(
            ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges"),
            "forward mode through a while loop only, as documented",
        ),
    ),
]
