"""Language models of the llama family: RMS norms, rotary positions, grouped queries, SwiGLU."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    permutation,
    rotation,
    scaling,
    shaped,
    sign,
    tokens,
)
from tests.symmetry.inference.gallery.frameworks import nnx_module

LENGTH, KEY_HEADS, QUERIES, INNER = 5, 2, 3, 8


def rms_norm(x, scale):
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6) * scale


def rotate(x):
    """Rotary positions on the last axis of x [t, ..., INNER]; its halves are the parts of each frequency."""
    frequency = 10.0 ** -np.arange(INNER // 2)
    angle = np.arange(LENGTH)[:, None] * frequency
    angle = angle.reshape(LENGTH, *(1,) * (x.ndim - 2), INNER // 2)
    real, imaginary = jnp.split(x, 2, axis=-1)
    cos, sin = np.cos(angle), np.sin(angle)
    return jnp.concatenate([real * cos - imaginary * sin, real * sin + imaginary * cos], axis=-1)


def llama(params, token):
    """One block on one sequence."""
    x = params["embed"][token]
    y = rms_norm(x, params["norm1"])
    q = rotate((y @ params["q"]).reshape(LENGTH, KEY_HEADS, QUERIES, INNER))
    k = rotate((y @ params["k"]).reshape(LENGTH, KEY_HEADS, INNER))
    v = (y @ params["v"]).reshape(LENGTH, KEY_HEADS, INNER)
    scores = jnp.einsum("thgi,shi->hgts", q, k) / np.sqrt(INNER)
    scores = jnp.where(np.tril(np.ones((LENGTH, LENGTH), bool)), scores, -np.inf)
    mixed = jnp.einsum("hgts,shi->thgi", jax.nn.softmax(scores), v).reshape(LENGTH, -1)
    x = x + mixed @ params["o"]
    y = rms_norm(x, params["norm2"])
    x = x + (jax.nn.silu(y @ params["gate"]) * (y @ params["up"])) @ params["down"]
    return rms_norm(x, params["norm3"]) @ params["out"]


def build_llama(key):
    query_heads = KEY_HEADS * QUERIES
    shapes = {
        "embed": shaped(7, 10),
        "q": shaped(10, query_heads * INNER),
        "k": shaped(10, KEY_HEADS * INNER),
        "v": shaped(10, KEY_HEADS * INNER),
        "o": shaped(query_heads * INNER, 10),
        "gate": shaped(10, 9),
        "up": shaped(10, 9),
        "down": shaped(9, 10),
        "out": shaped(10, 7),
    } | {name: shaped(10) for name in ("norm1", "norm2", "norm3")}
    return llama, draw(key, shapes), (tokens(key, 7, LENGTH),)


class TiedSwiGLU(nnx.Module):
    """RMS norms and SwiGLU around ordinary attention, embedding and read-out tied."""

    def __init__(self, rngs):
        linear = lambda i, o: nnx.Linear(i, o, use_bias=False, rngs=rngs)
        self.embed = nnx.Embed(7, 6, dtype=jnp.float64, rngs=rngs)
        self.norms = nnx.List([nnx.RMSNorm(6, rngs=rngs) for _ in range(3)])
        self.attention = nnx.MultiHeadAttention(
            2, in_features=6, qkv_features=6, use_bias=False, decode=False, rngs=rngs
        )
        self.gate, self.up, self.down = linear(6, 9), linear(6, 9), linear(9, 6)

    def __call__(self, token):
        x = self.embed(token)
        x = x + self.attention(self.norms[0](x), mask=nnx.make_causal_mask(token))
        y = self.norms[1](x)
        x = x + self.down(nnx.silu(self.gate(y)) * self.up(y))
        return self.embed.attend(self.norms[2](x))


EXAMPLES = (
    Example(
        "plain llama",
        build_llama,
        (
            permutation(10),
            permutation(KEY_HEADS),
            permutation(QUERIES, KEY_HEADS),
            permutation(INNER, KEY_HEADS),
            permutation(9),
        ),
        "key heads permute with their queries, queries inside each key head, value dimensions inside each "
        "key head; the rotary frequencies differ, which holds the query-key dimensions; they admit one "
        "complex factor a frequency and key head. The RMS norm keeps each stream sign; every norm's scale "
        "has its own gauge; the up-projection is linear",
        continuous=(
            sign(10),
            *(kind(10) for kind in (sign, scaling) for _ in range(3)),
            general_linear(INNER, KEY_HEADS),
            scaling(9),
            sign(9),
            scaling(INNER // 2, KEY_HEADS),
            rotation(2, KEY_HEADS, INNER // 2),
        ),
    ),
    Example(
        "nnx rms-norm swiglu tied",
        lambda key: nnx_module(key, TiedSwiGLU, tokens(key, 7, 2, LENGTH)),
        (permutation(6), permutation(2), permutation(3, 2), permutation(3, 2), permutation(9)),
        "the tied embedding is on both sides of the last norm's scale, which therefore has no gauge",
        continuous=(
            sign(6),
            *(kind(6) for kind in (sign, scaling) for _ in range(2)),
            general_linear(3, 2),
            general_linear(3, 2),
            scaling(9),
            sign(9),
        ),
    ),
)
