"""From a flax or equinox module to (apply, params, inputs); no initialiser runs, all parameters are drawn."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from geojax.typing import Key
from tests.symmetry.inference.gallery.example import Model, draw


def linen(key: Key, module: nn.Module, *inputs: Any, constant: tuple[str, ...] = ()) -> Model:
    """A linen module; collections named in ``constant`` keep their initial values and are not parameters."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    held = {}
    if constant:
        first = module.init(jax.random.key(0), *inputs)
        held = {name: first[name] for name in constant}
        shapes = {name: value for name, value in shapes.items() if name not in constant}

    def apply(params, *x):
        return module.apply({**params, **held}, *x)

    return apply, draw(key, shapes), inputs


def nnx_module(
    key: Key, make: Callable[[nnx.Rngs], nnx.Module], *inputs: Any, statistics: bool = True
) -> Model:
    """An nnx module; batch statistics are parameters, or ones where ``statistics`` is False."""
    kinds = (nnx.Param, nnx.BatchStat) if statistics else nnx.Param
    graph, shapes, rest = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), kinds, ...)
    rest = jax.tree.map(lambda leaf: np.ones(leaf.shape), rest)

    def apply(params, *x):
        return nnx.merge(graph, params, jax.tree.map(jnp.asarray, rest))(*x)

    return apply, draw(key, shapes), inputs


def equinox(key: Key, make: Callable[[Key], eqx.Module], *inputs: Any) -> Model:
    """An equinox module of one example, mapped over the leading axis of every input."""
    shapes = eqx.filter_eval_shape(make, key)

    def apply(params, *x):
        return jax.vmap(params)(*x)

    return apply, draw(key, shapes), inputs
