"""Convolutional networks with each norm layer, flattened into a dense head."""

import equinox as eqx
import flax.linen as nn
import jax
from flax import nnx

from tests.symmetry.inference.gallery.example import Example, normal, permutation, scaling, sign
from tests.symmetry.inference.gallery.frameworks import equinox, linen, nnx_module


class LinenConvNet(nn.Module):
    norm: str
    features: tuple[int, int] = (6, 4)

    def normalise(self, x, groups):
        if self.norm == "layer":
            return nn.LayerNorm()(x)
        if self.norm == "group":
            return nn.GroupNorm(num_groups=groups)(x)
        return nn.BatchNorm(use_running_average=True)(x)

    @nn.compact
    def __call__(self, x):
        x = nn.relu(self.normalise(nn.Conv(self.features[0], (3, 3))(x), 3))
        x = nn.max_pool(x, (2, 1), strides=(2, 1))
        x = nn.relu(self.normalise(nn.Conv(self.features[1], (3, 3), use_bias=False)(x), 2))
        return nn.Dense(7)(x.reshape(x.shape[0], -1))


class NnxConvNet(nnx.Module):
    def __init__(self, norm, rngs):
        self.first = nnx.Conv(2, 6, (3, 3), rngs=rngs)
        self.norm1 = norm(6, rngs=rngs)
        self.second = nnx.Conv(6, 4, (3, 3), use_bias=False, rngs=rngs)
        self.norm2 = norm(4, rngs=rngs)
        self.head = nnx.Linear(2 * 3 * 4, 7, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm1(self.first(x)))
        x = nnx.avg_pool(x, (2, 1), strides=(2, 1))
        x = nnx.relu(self.norm2(self.second(x)))
        return self.head(x.reshape(x.shape[0], -1))


def nnx_batch_norm(features, rngs):
    return nnx.BatchNorm(features, use_running_average=True, rngs=rngs)


class EquinoxConvNet(eqx.Module):
    first: eqx.nn.Conv2d
    norm1: eqx.nn.GroupNorm
    second: eqx.nn.Conv2d
    norm2: eqx.nn.GroupNorm
    head: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        self.first = eqx.nn.Conv2d(2, 6, 3, padding=1, key=keys[0])
        self.norm1 = eqx.nn.GroupNorm(3, 6)
        self.second = eqx.nn.Conv2d(6, 8, 3, padding=1, key=keys[1])
        self.norm2 = eqx.nn.GroupNorm(2, 8)
        self.head = eqx.nn.Linear(8 * 4 * 3, 7, key=keys[2])

    def __call__(self, x):
        x = jax.nn.relu(self.norm1(self.first(x)))
        x = jax.nn.relu(self.norm2(self.second(x)))
        return self.head(x.reshape(-1))


CHANNELS = (permutation(6), permutation(4))
GROUPED = (permutation(3), permutation(2, 3), permutation(2), permutation(4, 2))
BATCH_NORM = (scaling(6), scaling(6), scaling(4), scaling(4), sign(6), sign(4))

LAYER = (
    "channels move together with the norm's scale and bias and, flattened, inside the head's rows; after "
    "the norm, scale and bias carry the relu's scaling"
)
GROUP = "channels may not leave their norm group: groups permute, and the channels inside each (S_k wr S_G)"
BATCH = (
    "running mean and variance move too; before the norm, kernel and mean may be scaled (or flipped) "
    "against the norm's scale; after it, scale and bias against the next kernel"
)

EXAMPLES = (
    Example(
        "linen cnn layer norm",
        lambda key: linen(key, LinenConvNet("layer"), normal(key, 2, 4, 3, 2)),
        CHANNELS,
        LAYER,
        continuous=(scaling(6), scaling(4)),
    ),
    Example(
        "nnx cnn layer norm",
        lambda key: nnx_module(key, lambda rngs: NnxConvNet(nnx.LayerNorm, rngs), normal(key, 2, 4, 3, 2)),
        CHANNELS,
        LAYER,
        continuous=(scaling(6), scaling(4)),
    ),
    Example(
        "linen cnn group norm",
        lambda key: linen(key, LinenConvNet("group", (6, 8)), normal(key, 2, 4, 3, 2)),
        GROUPED,
        GROUP,
        continuous=(scaling(2, 3), scaling(4, 2)),
    ),
    Example(
        "equinox cnn group norm",
        lambda key: equinox(key, EquinoxConvNet, normal(key, 2, 2, 4, 3)),
        GROUPED,
        GROUP,
        continuous=(scaling(2, 3), scaling(4, 2)),
    ),
    Example(
        "linen cnn batch norm",
        lambda key: linen(key, LinenConvNet("batch"), normal(key, 2, 4, 3, 2)),
        CHANNELS,
        BATCH,
        continuous=BATCH_NORM,
    ),
    Example(
        "nnx cnn batch norm",
        lambda key: nnx_module(key, lambda rngs: NnxConvNet(nnx_batch_norm, rngs), normal(key, 2, 4, 3, 2)),
        CHANNELS,
        BATCH,
        continuous=BATCH_NORM,
    ),
)
