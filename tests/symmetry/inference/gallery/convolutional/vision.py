"""Patch models: vision transformer and MLP-Mixer."""

import flax.linen as nn
import jax.numpy as jnp
from flax import nnx

from tests.symmetry.inference.gallery.example import Example, normal, permutation, sign
from tests.symmetry.inference.gallery.frameworks import linen, nnx_module
from tests.symmetry.inference.gallery.sequences.transformer import (
    LinenBlock,
    attention_gauges,
    attention_permutations,
    norm_gauges,
)


class VisionTransformer(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(10, (2, 2), strides=(2, 2), padding="VALID")(x)
        x = x.reshape(x.shape[0], -1, 10)
        first = self.param("first", nn.initializers.normal(), (1, 1, 10))
        x = jnp.concatenate([jnp.tile(first, (x.shape[0], 1, 1)), x], axis=1)
        x = x + self.param("position", nn.initializers.normal(), (1, x.shape[1], 10))
        x = LinenBlock(2, 3, 9)(x)
        return nn.Dense(4)(nn.LayerNorm()(x)[:, 0])


class MixerBlock(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm()(x).swapaxes(1, 2)
        y = nn.Dense(x.shape[1])(nn.gelu(nn.Dense(9)(y)))
        x = x + y.swapaxes(1, 2)
        y = nn.LayerNorm()(x)
        return x + nn.Dense(x.shape[2])(nn.gelu(nn.Dense(8)(y)))


class LinenMixer(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(10, (2, 2), strides=(2, 2), padding="VALID")(x)
        x = MixerBlock()(x.reshape(x.shape[0], -1, 10))
        return nn.Dense(4)(nn.LayerNorm()(x).mean(1))


class NnxMixer(nnx.Module):
    """Mixing over 6 given tokens without norms: the channel axis is linear but for the token mixing."""

    def __init__(self, rngs):
        self.embed = nnx.Linear(3, 10, rngs=rngs)
        self.token_up = nnx.Linear(6, 9, rngs=rngs)
        self.token_down = nnx.Linear(9, 6, rngs=rngs)
        self.channel_up = nnx.Linear(10, 8, rngs=rngs)
        self.channel_down = nnx.Linear(8, 10, rngs=rngs)
        self.head = nnx.Linear(10, 4, rngs=rngs)

    def __call__(self, x):
        x = self.embed(x)
        x = x + self.token_down(jnp.tanh(self.token_up(x.swapaxes(1, 2)))).swapaxes(1, 2)
        x = x + self.channel_down(jnp.tanh(self.channel_up(x)))
        return self.head(x.mean(1))


EXAMPLES = (
    Example(
        "linen vision transformer",
        lambda key: linen(key, VisionTransformer(), normal(key, 2, 4, 6, 1)),
        (permutation(10), *attention_permutations(2, 3, 3), permutation(9)),
        "patches are fixed by the image, the class token stands in front of them; the rest is a transformer "
        "encoder",
        continuous=(*attention_gauges(2, 3, 3), *norm_gauges(10, 3)),
    ),
    Example(
        "linen mlp-mixer",
        lambda key: linen(key, LinenMixer(), normal(key, 2, 4, 6, 1)),
        (permutation(10), permutation(9), permutation(8)),
        "tokens are fixed by the image; the token mixer has its own hidden axis. Its gelu sees the "
        "channels, so the first norm has no gauge",
        continuous=norm_gauges(10, 2),
    ),
    Example(
        "nnx mixer without norms",
        lambda key: nnx_module(key, NnxMixer, normal(key, 2, 6, 3)),
        (permutation(10), permutation(9), permutation(8)),
        "as above; here tanh is odd. Channels cannot flip: the token mixer's biases are added to every "
        "channel alike",
        continuous=(sign(9), sign(8)),
    ),
)
