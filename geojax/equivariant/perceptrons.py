"""Perceptrons of two layers, the functions that layers learn: their parameters in a dict, and their values."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.typing import Key

Perceptron = dict[str, Float[Array, "..."]]
HIGHEST = jax.lax.Precision.HIGHEST


def perceptron_init(
    key: Key, size_in: int, width: int, size_out: int, *, scale: float = 1.0, bias: bool = True
) -> Perceptron:
    """Random parameters: normal weights of variance 1 / inputs, those of the last layer times `scale`; biases zero."""
    first, last = jax.random.split(key)
    theta = {
        "w1": jax.random.normal(first, (size_in, width)) / max(size_in, 1) ** 0.5,
        "b1": jnp.zeros(width),
        "w2": jax.random.normal(last, (width, size_out)) * (scale / max(width, 1) ** 0.5),
    }
    return theta | {"b2": jnp.zeros(size_out)} if bias else theta


def perceptron(where: str, theta: Any, name: str, x: Float[Array, "... i"]) -> Float[Array, "... o"]:
    """w2 silu(w1 x + b1) + b2 with the parameters theta[name], on the last axis of x; b2 may be left out.

    Products are taken to full precision on accelerators too: a layer is equivariant to its rounding.
    """
    part = part_of(where, theta, name, ("w1", "b1", "w2"))
    rows = jnp.shape(part["w1"])[0]
    if rows != x.shape[-1]:
        raise ValueError(
            f"{where}: theta[{name!r}] takes {rows} numbers; expected {x.shape[-1]}, as the other arguments give. "
            f"Make theta for these sizes, with the init function of the layer."
        )
    hidden = jax.nn.silu(jnp.matmul(x, part["w1"], precision=HIGHEST) + part["b1"])
    values = jnp.matmul(hidden, part["w2"], precision=HIGHEST)
    return values + part["b2"] if "b2" in part else values


def part_of(where: str, theta: Any, name: str, wanted: tuple[str, ...]) -> Any:
    """A dict of parameters inside theta; raises ValueError if it or one of its arrays is not there."""
    if not isinstance(theta, dict) or not isinstance(theta.get(name), dict):
        got = f"has {sorted(map(str, theta))}" if isinstance(theta, dict) else f"is a {type(theta).__name__}"
        raise ValueError(
            f"{where}: theta {got}; expected a dict with {name!r}. Make it with the init function of the layer."
        )
    missing = [each for each in wanted if each not in theta[name]]
    if missing:
        raise ValueError(
            f"{where}: theta[{name!r}] lacks {missing}; expected arrays {list(wanted)}. "
            "Make it with the init function of the layer."
        )
    return theta[name]
