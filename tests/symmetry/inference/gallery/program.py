"""Small programs on a layer of units, to test what may and what may not be permuted."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.symmetry.inference.gallery.example import Expected, draw, normal, shaped

UNITS = 6
READ_AXES = (("w1", 1), ("b1", 0))
UNIT_AXES = (*READ_AXES, ("w2", 0))
SQUARE = (("m", (UNITS, UNITS)),)
RAMP = np.linspace(0.5, 1.5, UNITS)


@dataclasses.dataclass(frozen=True)
class Program:
    """A program on the parameters w1 [3, 6], b1 [6], w2 [6, 2] and others, on inputs x [5, 3] and index [6].

    Attributes:
        name: What the program does.
        body: (params, h, x, index) -> outputs, where h = gelu(x w1 + b1) are the units.
        primitives: Names of which one must stand in a pin of each of ``axes``; several where JAX may choose
            how to lower the function.
        axes: The (leaf, axis) pairs that one permutation would have to move together.
        extra: Further leaves, other shapes of those three, or None for one that is left out.
        expected: The permutation groups, for a program that has some.
    """

    name: str
    body: Callable
    primitives: tuple[str, ...] = ()
    axes: tuple[tuple[str, int], ...] = UNIT_AXES
    extra: tuple[tuple[str, tuple[int, ...] | None], ...] = ()
    expected: tuple[Expected, ...] = ()

    def build(self, key):
        shapes = {"w1": (3, UNITS), "b1": (UNITS,), "w2": (UNITS, 2)} | dict(self.extra)
        params = draw(key, {name: shaped(*shape) for name, shape in shapes.items() if shape})
        index = jnp.array([4, 1, 3, 0, 5, 1])

        def apply(params, x, index):
            return self.body(params, jax.nn.gelu(x @ params["w1"] + params["b1"]), x, index)

        return apply, params, (normal(key, 5, 3), index)

    def moved(self, params):
        """The parameters with the program's axes moved by a permutation that mixes neighbours and halves."""
        moved = dict(params)
        for path, axis in self.axes:
            n = moved[path].shape[axis]
            order = np.array([3, 5, 1, 0, 2, 4]) if n == UNITS else np.roll(np.arange(n), 1)
            moved[path] = jnp.take(moved[path], order, axis=axis)
        return moved


def fixed_by(primitive, name, body, **kwargs):
    primitives = (primitive,) if isinstance(primitive, str) else primitive
    return Program(name, body, primitives, **kwargs)


def dense(p, h):
    return h @ p["w2"]


def space(x, kernel):
    """A convolution whose space is the last axis of x."""
    return lax.conv_general_dilated(x[:, None, :], kernel[None, None, :], (1,), "SAME")[:, 0]


def drop(p, h, shape):
    return jnp.where(jax.random.bernoulli(jax.random.key(3), 0.5, shape), h, 0.0)
