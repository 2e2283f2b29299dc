"""A small network and two sets of its parameters, one a disturbed and moved copy of the other."""

import jax
import numpy as np

from geojax.symmetry import SymmetrySpec, act, infer, random_element

WIDTH, DEPTH, ENDS = 16, 2, 512


def network(params, x):
    for i in range(DEPTH):
        x = jax.nn.relu(x @ params[f"kernel {i}"] + params[f"bias {i}"])
    return x @ params["head"]


def draw(key):
    shapes = {"head": (WIDTH, ENDS), "kernel 0": (ENDS, WIDTH), "bias 0": (WIDTH,)}
    for i in range(1, DEPTH):
        shapes |= {f"kernel {i}": (WIDTH, WIDTH), f"bias {i}": (WIDTH,)}
    keys = jax.random.split(key, len(shapes))
    return {name: jax.random.normal(k, shape) for k, (name, shape) in zip(keys, sorted(shapes.items()))}


def problem() -> tuple[SymmetrySpec, dict, dict]:
    """The spec and the two sets of parameters, on one device."""
    a, other = (jax.jit(draw)(jax.random.key(i)) for i in range(2))
    spec = infer(network, a, np.ones((4, ENDS)), verify=False)

    @jax.jit
    def moved(a, other, key):
        near = jax.tree.map(lambda x, e: x + 0.1 * e, a, other)
        return act(spec, random_element(spec, key), near)

    return spec, a, moved(a, other, jax.random.key(2))
