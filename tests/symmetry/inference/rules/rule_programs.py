"""What a small program for a rule is: a function, the inputs it is drawn, and what must stay free."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType

MESH_SIZE = 4
BOTH = ((0, 0), (0, 1))
PAIR = (*BOTH, (1, 0), (1, 1))


@dataclasses.dataclass(frozen=True)
class Draw:
    """An input: its shape and what its entries are drawn from."""

    shape: tuple[int, ...]
    kind: str = "normal"
    high: int = 3

    def __call__(self, generator: np.random.Generator) -> Any:
        match self.kind:
            case "normal":
                return generator.normal(size=self.shape)
            case "unit":
                return generator.uniform(0.1, 0.9, self.shape)
            case "large":
                return generator.uniform(1.1, 3.0, self.shape)
            case "complex":
                return generator.normal(size=self.shape) + 1j * generator.normal(size=self.shape)
            case "int":
                return generator.integers(0, self.high, self.shape).astype(np.int32)
            case "unsigned":
                return generator.integers(0, 2**32, self.shape, dtype=np.uint32)
            case "bool":
                return generator.random(self.shape) < 0.5
            case "key":
                seeds = generator.integers(0, 2**31, self.shape)
                return jnp.reshape(jnp.stack([jax.random.key(s) for s in np.ravel(seeds)]), self.shape)
        raise ValueError(f"kind: got {self.kind!r}")


@dataclasses.dataclass(frozen=True)
class Program:
    """A function, its inputs, and the (input, axis) pairs that must stay free."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[Draw, ...]
    free: tuple[tuple[int, int], ...] = ()


def n(*shape: int) -> Draw:
    return Draw(shape)


def program(
    name: str, function: Callable[..., Any], *inputs: Draw, free: tuple[tuple[int, int], ...] = ()
) -> Program:
    return Program(name, function, inputs, free)


def mesh() -> jax.sharding.Mesh:
    return jax.make_mesh((MESH_SIZE,), ("devices",), axis_types=(AxisType.Auto,))


def on_devices(function, in_specs, out_specs):
    return jax.shard_map(function, mesh=mesh(), in_specs=in_specs, out_specs=out_specs)
