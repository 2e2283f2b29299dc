"""Transformers: a residual stream, heads that permute as wholes, two inner axes in each head (QK and VO)."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from tests.symmetry.inference.gallery.example import (
    Example,
    Expected,
    draw,
    general_linear,
    permutation,
    scaling,
    shaped,
    sign,
    tokens,
)
from tests.symmetry.inference.gallery.frameworks import equinox, linen, nnx_module


def attention_permutations(heads: int, qk: int, vo: int) -> tuple[Expected, ...]:
    return (permutation(heads), permutation(qk, heads), permutation(vo, heads))


def attention_gauges(heads: int, qk: int, vo: int) -> tuple[Expected, ...]:
    return (general_linear(qk, heads), general_linear(vo, heads))


def norm_gauges(width: int, count: int) -> tuple[Expected, ...]:
    """A norm's scale and bias, read by linear maps only, may be scaled and flipped against them."""
    return (scaling(width), sign(width)) * count


class LinenBlock(nn.Module):
    heads: int
    inner: int
    hidden: int

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads, qkv_features=self.heads * self.inner)(y)
        y = nn.LayerNorm()(x)
        return x + nn.Dense(x.shape[-1])(nn.gelu(nn.Dense(self.hidden)(y)))


class LinenEncoder(nn.Module):
    @nn.compact
    def __call__(self, token):
        embed = nn.Embed(7, 10)
        x = embed(token) + self.param("position", nn.initializers.normal(), (5, 10))
        x = LinenBlock(3, 4, 8)(x)
        x = LinenBlock(2, 6, 9)(x)
        return embed.attend(nn.LayerNorm()(x))


class NnxDecoder(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(7, 6, dtype=jnp.float64, rngs=rngs)
        self.position = nnx.Param(jnp.zeros((5, 6)))
        self.norm1 = nnx.LayerNorm(6, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, in_features=6, qkv_features=10, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(6, rngs=rngs)
        self.up = nnx.Linear(6, 9, rngs=rngs)
        self.down = nnx.Linear(9, 6, rngs=rngs)
        self.final = nnx.LayerNorm(6, rngs=rngs)

    def __call__(self, token):
        x = self.embed(token) + self.position[...]
        x = x + self.attention(self.norm1(x), mask=nnx.make_causal_mask(token))
        x = x + self.down(nnx.relu(self.up(self.norm2(x))))
        return self.embed.attend(self.final(x))


class EquinoxEncoder(eqx.Module):
    embed: eqx.nn.Embedding
    position: jax.Array
    norms: list[eqx.nn.LayerNorm]
    attention: eqx.nn.MultiheadAttention
    up: eqx.nn.Linear
    down: eqx.nn.Linear
    head: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 5)
        self.embed = eqx.nn.Embedding(7, 6, key=keys[0])
        self.position = jnp.zeros((5, 6))
        self.norms = [eqx.nn.LayerNorm(6) for _ in range(3)]
        self.attention = eqx.nn.MultiheadAttention(2, 6, qk_size=3, vo_size=5, key=keys[1])
        self.up = eqx.nn.Linear(6, 9, key=keys[2])
        self.down = eqx.nn.Linear(9, 6, key=keys[3])
        self.head = eqx.nn.Linear(6, 7, key=keys[4])

    def __call__(self, token):
        x = jax.vmap(self.embed)(token) + self.position
        y = jax.vmap(self.norms[0])(x)
        x = x + self.attention(y, y, y)
        y = jax.vmap(self.norms[1])(x)
        x = x + jax.vmap(self.down)(jax.nn.relu(jax.vmap(self.up)(y)))
        return jax.vmap(self.head)(jax.vmap(self.norms[2])(x))


def attend(params, x, y, mask=None):
    """Multi-head attention of the tokens x [t, d] on the tokens y [s, c]."""
    q = jnp.einsum("td,dhk->htk", x, params["q"]) + params["qb"]
    k = jnp.einsum("sc,chk->hsk", y, params["k"]) + params["kb"]
    v = jnp.einsum("sc,chv->hsv", y, params["v"]) + params["vb"]
    scores = q @ k.swapaxes(1, 2) / jnp.sqrt(params["q"].shape[-1])
    if mask is not None:
        scores = jnp.where(mask, scores, -1e30)
    return jnp.einsum("hts,hsv,hvd->td", jax.nn.softmax(scores), v, params["o"])


def norm(params, x):
    x = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * params["scale"] + params["bias"]


def translate(params, source, target):
    """An encoder of one block, a decoder of one block with causal self-attention and cross-attention."""
    encoder, decoder = params["encoder"], params["decoder"]
    x = encoder["embed"][source]
    y = norm(encoder["norm"], x)
    x = norm(encoder["final"], x + attend(encoder["attention"], y, y))
    z = decoder["embed"][target]
    y = norm(decoder["norm1"], z)
    z = z + attend(decoder["attention"], y, y, mask=jnp.tril(jnp.ones((4, 4), bool)))
    z = z + attend(decoder["cross"], norm(decoder["norm2"], z), x)
    z = z + jnp.tanh(norm(decoder["norm3"], z) @ decoder["up"]) @ decoder["down"]
    return norm(decoder["final"], z) @ decoder["out"]


def attention_shapes(width, context, heads, qk, vo):
    return {
        "q": shaped(width, heads, qk),
        "k": shaped(context, heads, qk),
        "v": shaped(context, heads, vo),
        "qb": shaped(heads, 1, qk),
        "kb": shaped(heads, 1, qk),
        "vb": shaped(heads, 1, vo),
        "o": shaped(heads, vo, width),
    }


def build_translate(key):
    affine = lambda width: {"scale": shaped(width), "bias": shaped(width)}
    encoder = {
        "embed": shaped(7, 6),
        "norm": affine(6),
        "attention": attention_shapes(6, 6, 2, 3, 4),
        "final": affine(6),
    }
    decoder = {
        "embed": shaped(9, 10),
        "attention": attention_shapes(10, 10, 3, 2, 5),
        "cross": attention_shapes(10, 6, 4, 3, 2),
        "up": shaped(10, 8),
        "down": shaped(8, 10),
        "out": shaped(10, 9),
    } | {name: affine(10) for name in ("norm1", "norm2", "norm3", "final")}
    inputs = (tokens(key, 7, 5), tokens(jax.random.fold_in(key, 7), 9, 4))
    return translate, draw(key, {"encoder": encoder, "decoder": decoder}), inputs


EXAMPLES = (
    Example(
        "linen transformer encoder tied",
        lambda key: linen(key, LinenEncoder(), tokens(key, 7, 2, 5)),
        (
            permutation(10),
            *attention_permutations(3, 4, 4),
            permutation(8),
            *attention_permutations(2, 6, 6),
            permutation(9),
        ),
        "one residual stream through embedding, positions, norms and the tied read-out (whose norm has no "
        "gauge: the embedding is on both sides); tokens and positions are fixed; query, key and value "
        "biases move along",
        continuous=(*attention_gauges(3, 4, 4), *attention_gauges(2, 6, 6), *norm_gauges(10, 4)),
    ),
    Example(
        "nnx transformer decoder tied",
        lambda key: nnx_module(key, NnxDecoder, tokens(key, 7, 2, 5)),
        (permutation(6), *attention_permutations(2, 5, 5), permutation(9)),
        "as the encoder; the causal mask concerns positions only",
        continuous=(*attention_gauges(2, 5, 5), scaling(9), *norm_gauges(6, 2)),
    ),
    Example(
        "equinox transformer encoder untied",
        lambda key: equinox(key, EquinoxEncoder, tokens(key, 7, 2, 5)),
        (permutation(6), *attention_permutations(2, 3, 5), permutation(9)),
        "heads are a factor of the projections' flattened rows; the read-out has its own matrix, so its "
        "norm has a gauge",
        continuous=(*attention_gauges(2, 3, 5), scaling(9), *norm_gauges(6, 3)),
    ),
    Example(
        "plain transformer encoder-decoder",
        build_translate,
        (
            permutation(6),
            permutation(10),
            *attention_permutations(2, 3, 4),
            *attention_permutations(3, 2, 5),
            *attention_permutations(4, 3, 2),
            permutation(8),
        ),
        "two residual streams that meet in the cross-attention only",
        continuous=(
            *attention_gauges(2, 3, 4),
            *attention_gauges(3, 2, 5),
            *attention_gauges(4, 3, 2),
            *norm_gauges(6, 2),
            *norm_gauges(10, 4),
            sign(8),
        ),
    ),
)
