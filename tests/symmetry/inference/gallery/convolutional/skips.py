"""Channels that are concatenated: DenseNet and UNet."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from tests.symmetry.inference.gallery.example import Example, normal, permutation, scaling, sign
from tests.symmetry.inference.gallery.frameworks import linen


class DenseNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), use_bias=False)(x)
        for growth in (6, 3):
            y = nn.relu(nn.BatchNorm(use_running_average=True)(x))
            x = jnp.concatenate([x, nn.Conv(growth, (3, 3))(y)], axis=-1)
        x = nn.relu(nn.BatchNorm(use_running_average=True)(x))
        return nn.Dense(5)(x.mean((1, 2)))


class UNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        high = nn.relu(nn.Conv(4, (3, 3))(x))
        x = nn.relu(nn.Conv(6, (3, 3), 2)(high))
        middle = nn.relu(nn.Conv(10, (3, 3))(x))
        low = nn.max_pool(middle, (2, 2), strides=(2, 2))
        low = nn.relu(nn.Conv(5, (3, 3))(low))
        back = jax.image.resize(low, (*middle.shape[:3], 5), "bilinear")
        x = nn.relu(nn.Conv(8, (3, 3))(jnp.concatenate([back, middle], axis=-1)))
        x = nn.relu(nn.ConvTranspose(3, (2, 2), (2, 2))(x))
        x = nn.relu(nn.Conv(9, (3, 3))(jnp.concatenate([x, high], axis=-1)))
        return nn.Conv(2, (1, 1))(x)


EXAMPLES = (
    Example(
        "linen densenet",
        lambda key: linen(key, DenseNet(), normal(key, 2, 4, 3, 2)),
        (permutation(4), permutation(6), permutation(3)),
        "a feature map keeps its own piece of every concatenated axis; before the norms a piece may be "
        "scaled or flipped against all the norms that read it, after each norm each piece has the relu's "
        "scaling",
        continuous=(
            *(scaling(n) for n in (4, 6, 3)),
            *(sign(n) for n in (4, 6, 3)),
            *(scaling(n) for n in (4, 4, 6, 4, 6, 3)),
        ),
    ),
    Example(
        "linen unet",
        lambda key: linen(key, UNet(), normal(key, 1, 8, 4, 2)),
        tuple(permutation(n) for n in (4, 6, 10, 5, 8, 3, 9)),
        "striding, pooling, resizing and transposed convolution act on space; skips are pieces of "
        "concatenated axes",
        continuous=tuple(scaling(n) for n in (4, 6, 10, 5, 8, 3, 9)),
    ),
)
