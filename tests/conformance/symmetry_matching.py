"""Cases of the matchers; `cases_symmetry` takes them into its list."""

import jax
import jax.numpy as jnp

from geojax.symmetry.groups import PERMUTATION, Group
from geojax.symmetry.layout import Block, Part
from geojax.symmetry.spec import Leaf, SymmetrySpec
from geojax.symmetry.weight_matching import weight_matching
from tests.conformance.case import Case

SIZES = {"w1": (6, 5), "b1": (5,), "w2": (5, 4), "b2": (4,), "w3": (4, 3)}


def hidden(size, axis, name):
    return Part(size, axis, name, ((name, 1),) if name else ())


def mlp_spec():
    """The groups of x -> f(x; w1, b1, w2, b2, w3) with two hidden layers, "0" of 5 units and "1" of 4."""
    names = {"b1": ("0",), "b2": ("1",), "w1": ("", "0"), "w2": ("0", "1"), "w3": ("1", "")}
    leaves = [
        Leaf(
            path,
            SIZES[path],
            Block(tuple(hidden(n, i, name) for i, (n, name) in enumerate(zip(SIZES[path], axes)))),
        )
        for path, axes in names.items()
    ]
    return SymmetrySpec(
        tuple((name, Group(PERMUTATION, n, axis=name)) for name, n in (("0", 5), ("1", 4))), tuple(leaves)
    )


def draw(key, dtype):
    keys = jax.random.split(key, len(SIZES))
    return {name: jax.random.normal(k, shape, dtype) for k, (name, shape) in zip(keys, SIZES.items())}


def pair(key, dtype):
    return draw(jax.random.fold_in(key, 0), dtype), draw(jax.random.fold_in(key, 1), dtype)


def match(params_a, params_b, key):
    return weight_matching(mlp_spec(), params_a, params_b, key=key)


def equal_models(dtype):
    params = draw(jax.random.key(0), dtype)
    return params, params, jax.random.key(1)


def zero_models(dtype):
    params = jax.tree.map(jnp.zeros_like, draw(jax.random.key(0), dtype))
    return params, params, jax.random.key(1)


CASES = [
    Case(
        "weight_matching",
        weight_matching,
        lambda key, dtype: (*pair(key, dtype), jax.random.fold_in(key, 2)),
        call=match,
        differentiable=(0, 1),
        output=lambda result: result.objective,
        edges={"a model against itself": equal_models, "all weights zero": zero_models},
    ),
]
