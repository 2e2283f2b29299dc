"""Residual networks with projection shortcuts: streams that many layers share, free layers in the blocks."""

import flax.linen as nn
from flax import nnx

from tests.symmetry.inference.gallery.example import Example, normal, permutation, scaling, sign
from tests.symmetry.inference.gallery.frameworks import linen, nnx_module


class LinenBlock(nn.Module):
    inner: int
    outer: int
    stride: int = 1

    @nn.compact
    def __call__(self, x):
        norm = lambda: nn.BatchNorm(use_running_average=True)
        y = nn.relu(norm()(nn.Conv(self.inner, (3, 3), self.stride, use_bias=False)(x)))
        y = norm()(nn.Conv(self.outer, (3, 3), use_bias=False)(y))
        if x.shape[-1] != self.outer:
            x = norm()(nn.Conv(self.outer, (1, 1), self.stride, use_bias=False)(x))
        return nn.relu(x + y)


class LinenResNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(6, (3, 3), use_bias=False)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True)(x))
        x = LinenBlock(10, 6)(x)
        x = LinenBlock(4, 9, stride=2)(x)
        return nn.Dense(5)(x.mean((1, 2)))


class NnxBlock(nnx.Module):
    def __init__(self, width, inner, outer, stride, rngs):
        conv = lambda i, o, k, s: nnx.Conv(i, o, (k, k), strides=s, use_bias=False, rngs=rngs)
        norm = lambda c: nnx.BatchNorm(c, use_running_average=False, rngs=rngs)
        self.conv1, self.norm1 = conv(width, inner, 3, stride), norm(inner)
        self.conv2, self.norm2 = conv(inner, outer, 3, 1), norm(outer)
        self.project = width != outer
        if self.project:
            self.conv3, self.norm3 = conv(width, outer, 1, stride), norm(outer)

    def __call__(self, x):
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.project:
            x = self.norm3(self.conv3(x))
        return nnx.relu(x + y)


class NnxResNet(nnx.Module):
    def __init__(self, rngs):
        self.stem = nnx.Conv(2, 6, (3, 3), use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(6, use_running_average=False, rngs=rngs)
        self.block1 = NnxBlock(6, 10, 6, 1, rngs)
        self.block2 = NnxBlock(6, 4, 9, 2, rngs)
        self.head = nnx.Linear(9, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.stem(x)))
        return self.head(self.block2(self.block1(x)).mean((1, 2)))


STREAMS = (permutation(6), permutation(10), permutation(4), permutation(9))
AFTER_NORM = (scaling(6), scaling(10), scaling(4), scaling(9))
BEFORE_NORM = tuple(kind(n) for kind in (scaling, sign) for n in (6, 10, 6, 4, 9, 9))
FLIPS = tuple(sign(n) for n in (6, 10, 6, 4, 9, 9))

EXAMPLES = (
    Example(
        "linen resnet running statistics",
        lambda key: linen(key, LinenResNet(), normal(key, 3, 4, 6, 2)),
        STREAMS,
        "two streams (6, then 9 behind the projection) and two inner layers; every convolution before a "
        "norm has its own scaling and flip against the norm's scale, each relu passes one more",
        continuous=AFTER_NORM + BEFORE_NORM,
    ),
    Example(
        "nnx resnet batch statistics",
        lambda key: nnx_module(key, NnxResNet, normal(key, 3, 4, 6, 2), statistics=False),
        STREAMS,
        "statistics of the batch itself: the epsilon in the variance leaves flips before the norm, but no "
        "scalings",
        continuous=AFTER_NORM + FLIPS,
    ),
)
