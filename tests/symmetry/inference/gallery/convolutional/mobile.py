"""Depthwise and grouped convolutions, channel shuffle, squeeze-and-excite."""

import flax.linen as nn
import jax
from flax import nnx

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
from tests.symmetry.inference.gallery.frameworks import linen, nnx_module


class MobileNet(nn.Module):
    """Two inverted residuals with linear bottlenecks; the second has a channel multiplier and no shortcut."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3))(x)
        y = nn.relu6(nn.Conv(9, (1, 1))(x))
        y = nn.relu6(nn.Conv(9, (3, 3), feature_group_count=9)(y))
        x = x + nn.Conv(4, (1, 1))(y)
        y = nn.relu(nn.Conv(10, (1, 1))(x))
        y = nn.relu(nn.Conv(20, (3, 3), 2, feature_group_count=10)(y))
        x = nn.Conv(6, (1, 1))(y)
        return nn.Dense(5)(x.mean((1, 2)))


def shuffle_unit(params, x):
    """Grouped 1x1 convolution, channel shuffle, depthwise 3x3, grouped 1x1 convolution with other groups."""

    def conv(x, kernel, groups):
        names = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=names, feature_group_count=groups
        )

    x = jax.nn.relu(conv(x, params["stem"], 1))
    x = jax.nn.relu(conv(x, params["squeeze"], 3))
    n, h, w, _ = x.shape
    x = x.reshape(n, h, w, 3, 6).swapaxes(3, 4).reshape(n, h, w, 18)
    x = conv(x, params["depthwise"], 18) + params["bias"]
    x = jax.nn.relu(conv(x, params["expand"], 2))
    return x.mean((1, 2)) @ params["head"]


def build_shuffle_unit(key):
    shapes = {
        "stem": shaped(1, 1, 2, 6),
        "squeeze": shaped(1, 1, 2, 18),
        "depthwise": shaped(3, 3, 1, 18),
        "bias": shaped(18),
        "expand": shaped(1, 1, 9, 10),
        "head": shaped(10, 5),
    }
    return shuffle_unit, draw(key, shapes), (normal(key, 2, 4, 3, 2),)


class SqueezeExcite(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(2, 6, (3, 3), rngs=rngs)
        self.squeeze = nnx.Linear(6, 4, rngs=rngs)
        self.excite = nnx.Linear(4, 6, rngs=rngs)
        self.head = nnx.Linear(6, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.conv(x))
        gate = nnx.sigmoid(self.excite(nnx.relu(self.squeeze(x.mean((1, 2))))))
        return self.head((x * gate[:, None, None, :]).mean((1, 2)))


EXAMPLES = (
    Example(
        "linen mobilenet",
        lambda key: linen(key, MobileNet(), normal(key, 2, 4, 6, 2)),
        (permutation(4), permutation(9), permutation(10), permutation(2, 10), permutation(6)),
        "a depthwise kernel moves with the channels it filters, and a channel's two filters may be swapped; "
        "the bottlenecks are linear, so they admit any invertible matrix; relu6 is not homogeneous",
        continuous=(general_linear(4), general_linear(6), scaling(10), scaling(2, 10)),
    ),
    Example(
        "plain shufflenet unit",
        build_shuffle_unit,
        (permutation(3), permutation(2, 3), permutation(2), permutation(3, 2, 3), permutation(5, 2)),
        "18 = 3 groups of the first convolution x 2 groups of the second x 3: both kinds of group permute, "
        "and the channels that agree in both permute inside; the depthwise stage is linear, so it also "
        "passes signs",
        continuous=(scaling(2, 3), scaling(3, 2, 3), scaling(3, 2, 3), sign(3, 2, 3), scaling(5, 2)),
    ),
    Example(
        "nnx squeeze-excite",
        lambda key: nnx_module(key, SqueezeExcite, normal(key, 2, 4, 3, 2)),
        (permutation(6), permutation(4)),
        "the gate's outputs move with the channels they multiply, and do not scale with them (sigmoid)",
        continuous=(scaling(6), scaling(4)),
    ),
)
