"""Layers in a loop: scanned over stacked parameters, rematerialised, or iterated to a fixed point."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from tests.symmetry.inference.gallery.example import (
    Example,
    draw,
    general_linear,
    normal,
    permutation,
    scaling,
    shaped,
    sign,
)
from tests.symmetry.inference.gallery.frameworks import linen

LAYERS = 3


class ScannedBlock(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        y = nn.LayerNorm()(x)
        return x + nn.Dense(x.shape[-1])(nn.gelu(nn.Dense(10)(y))), None


class ScannedNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6)(x)
        block = nn.scan(
            nn.remat(ScannedBlock), variable_axes={"params": 0}, split_rngs={"params": True}, length=LAYERS
        )
        x, _ = block()(x, None)
        return nn.Dense(4)(nn.LayerNorm()(x))


def scanned_residual(params, x):
    @jax.checkpoint
    def layer(h, p):
        return h + jnp.tanh(h @ p["w1"] + p["b1"]) @ p["w2"], None

    h, _ = jax.lax.scan(layer, x @ params["in"], params["layers"])
    return h @ params["out"]


def build_scanned_residual(key):
    layers = {"w1": shaped(LAYERS, 6, 10), "b1": shaped(LAYERS, 10), "w2": shaped(LAYERS, 10, 6)}
    shapes = {"in": shaped(3, 6), "layers": layers, "out": shaped(6, 4)}
    return scanned_residual, draw(key, shapes), (normal(key, 5, 3),)


def equilibrium(params, x):
    """The fixed point of z = tanh(W z + U x), by iteration until the largest change is small."""

    def step(state):
        z, _, count = state
        new = jnp.tanh(0.3 * z @ params["w"] + x @ params["u"])
        return new, jnp.max(jnp.abs(new - z)), count + 1

    def active(state):
        _, change, count = state
        return (change > 1e-3) & (count < 40)

    start = jnp.zeros((x.shape[0], 6)), jnp.array(jnp.inf), 0
    z, _, _ = jax.lax.while_loop(active, step, start)
    return z @ params["out"]


def build_equilibrium(key):
    shapes = {"w": shaped(6, 6), "u": shaped(3, 6), "out": shaped(6, 4)}
    return equilibrium, draw(key, shapes), (normal(key, 5, 3),)


EXAMPLES = (
    Example(
        "linen scanned remat layers",
        lambda key: linen(key, ScannedNet(), normal(key, 5, 3)),
        (permutation(6), permutation(10, LAYERS)),
        "the stream is one axis through all layers; the layers are ordered, so their axis is fixed, and "
        "each has its own hidden permutation and its own gauge of the norm's scale",
        continuous=(scaling(6, LAYERS), sign(6, LAYERS), scaling(6), sign(6)),
    ),
    Example(
        "plain scanned residual layers",
        build_scanned_residual,
        (permutation(6), permutation(10, LAYERS)),
        "without a norm the stream is touched by linear maps only",
        continuous=(general_linear(6), sign(10, LAYERS)),
    ),
    Example(
        "plain equilibrium",
        build_equilibrium,
        (permutation(6),),
        "one hidden axis on both sides of w; the stopping rule is a largest absolute value, which no order "
        "or sign of the units changes",
        continuous=(sign(6),),
    ),
)
