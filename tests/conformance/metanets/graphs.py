"""Cases of parameter graphs and of networks on them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from geojax import metanets, symmetry
from tests.conformance.case import Case, exempt_all

LIKE = {"v": jnp.ones((2, 1)), "w": jnp.ones((1, 2))}
INIT, APPLY = metanets.message_passing(width=1, depth=1)
STATIC = exempt_all("reads a spec, and no array")


@functools.cache
def graph():
    """The graph of a perceptron."""
    net = lambda p, x: jax.nn.gelu(x @ p["w"]) @ p["v"]
    return metanets.parameter_graph(symmetry.infer(net, LIKE, np.ones((4, 1)), verify=False))


@functools.cache
def theta():
    """Weights of the network."""
    with jax.ensure_compile_time_eval():
        return jax.tree.map(np.asarray, INIT(jax.random.key(0)))


def weights(key, dtype):
    """Numbers of a network, as the graph lists them."""
    return (jax.random.normal(key, (4,), dtype),)


def passed(values):
    """What a network on the graph says of them."""
    return APPLY(jax.tree.map(lambda leaf: jnp.asarray(leaf, values.dtype), theta()), graph(), values)


CASES = [
    Case("parameter_graph", metanets.parameter_graph, weights, exemptions=STATIC),
    Case(
        "message_passing",
        metanets.message_passing,
        weights,
        call=passed,
        differentiable=(0,),
        edges={"zero weights": lambda dtype: (jnp.zeros(4, dtype),)},
    ),
]

DATA = {"ParameterGraph": "static data: what parameter_graph returns"}
