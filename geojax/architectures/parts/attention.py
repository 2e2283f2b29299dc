"""Scaled dot-product attention, with one or several query heads for each key head, and rotary positions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from geojax.architectures.parts.layers import wide


def split_heads(x: Float[Array, "b t n"], heads: int) -> Float[Array, "b t h d"]:
    """The last axis split into heads."""
    return x.reshape(*x.shape[:-1], heads, -1)


def attention(
    query: Float[Array, "b t h d"],
    key: Float[Array, "b s g d"],
    value: Float[Array, "b s g e"],
    *,
    mask: Bool[Array, "b t s"] | Bool[Array, "t s"] | None = None,
    scale: float | None = None,
) -> Float[Array, "b t he"]:
    """softmax(scale <q, k>) v in each head, joined over heads; h/g consecutive query heads share a key head.

    Scores at which the mask is False are set to the smallest number of their dtype. The default scale is 1/sqrt(d).
    """
    batch, length, heads, width = query.shape
    groups = key.shape[2]
    grouped = query.reshape(batch, length, groups, heads // groups, width)
    scores = jnp.einsum("btgrd,bsgd->bgrts", grouped, key) * (
        1 / math.sqrt(width) if scale is None else scale
    )
    if mask is not None:
        allowed = mask if mask.ndim == 2 else mask[:, None, None]
        scores = jnp.where(allowed, scores, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(wide(scores), axis=-1).astype(value.dtype)
    return jnp.einsum("bgrts,bsge->btgre", weights, value).reshape(batch, length, -1)


def causal_mask(length: int, present: Int[Array, "b s"] | None) -> Bool[Array, "b t s"] | Bool[Array, "t s"]:
    """Which tokens each token attends to: itself and the earlier ones, if they are present."""
    before = jnp.asarray(np.tril(np.ones((length, length), bool)))
    return before if present is None else before & (present[:, None, :] > 0)


def rotary_angles(length: int, frequencies: np.ndarray) -> np.ndarray:
    """Angles [length, d/2] of each position and frequency."""
    return np.arange(length)[:, None] * frequencies


def rotate(x: Float[Array, "b t h d"], angles: np.ndarray) -> Float[Array, "b t h d"]:
    """Rotates each pair (x_i, x_{i + d/2}) by the angle of its position and frequency."""
    cos, sin = (jnp.asarray(f(angles), x.dtype)[:, None, :] for f in (np.cos, np.sin))
    real, imaginary = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([real * cos - imaginary * sin, imaginary * cos + real * sin], axis=-1)
