"""The two networks of the demonstration, in flax linen."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Mlp(nn.Module):
    """Three hidden layers of one width.

    Attributes:
        width: Units of each hidden layer.
        num_classes: Number of outputs.
    """

    width: int
    num_classes: int

    @nn.compact
    def __call__(
        self, images: Float[Array, "batch height width 1"], train: bool = False
    ) -> Float[Array, "batch k"]:
        """Class scores of each image."""
        x = images.reshape(len(images), -1)
        for _ in range(3):
            x = nn.relu(nn.Dense(self.width)(x))
        return nn.Dense(self.num_classes)(x)


class ConvNet(nn.Module):
    """Three convolutions with batch normalisation, flattened into a dense layer.

    The first convolution reduces images to about 4 x 4; each of the others halves that.

    Attributes:
        channels: Output channels of each convolution.
        num_classes: Number of outputs.
        convolution: The function that computes convolutions; None means `jax.lax.conv_general_dilated`.
            `convolve_by_patches` has the same values and is much faster on CPU under `jax.vmap` and inside compiled
            loops.
    """

    channels: int
    num_classes: int
    convolution: Callable[..., Any] | None = None

    @nn.compact
    def __call__(
        self, images: Float[Array, "batch height width 1"], train: bool = False
    ) -> Float[Array, "batch k"]:
        """Class scores of each image; with ``train`` the batch's own statistics are used."""
        x = images
        patch = min(images.shape[1:3]) // 4
        for side, stride in ((max(3, patch), patch), (2, 2), (2, 2)):
            convolution = nn.Conv(
                self.channels, (side, side), (stride, stride), conv_general_dilated=self.convolution
            )
            x = convolution(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))
        return nn.Dense(self.num_classes)(x.reshape(len(x), -1))


def convolve_by_patches(
    images: Float[Array, "batch height width channels"],
    kernel: Float[Array, "h w channels features"],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **_: Any,
) -> Float[Array, "batch rows columns features"]:
    """A plain convolution of images, as one matrix product of their patches with the kernel.

    On CPU XLA's matrix product is always fast, but its convolution is slow under `vmap` over kernels and inside loops.
    """
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(images.shape[1:3], kernel.shape[:2], window_strides, padding)
    padded = jnp.pad(images, ((0, 0), *padding, (0, 0)))
    sizes = [
        (n - k) // s + 1 for n, k, s in zip(padded.shape[1:3], kernel.shape[:2], window_strides, strict=True)
    ]

    def shifted(row: int, column: int) -> Array:
        starts = (0, row, column, 0)
        ends = [
            start + (n - 1) * s + 1 for start, n, s in zip((row, column), sizes, window_strides, strict=True)
        ]
        return jax.lax.slice(padded, starts, (len(padded), *ends, padded.shape[3]), (1, *window_strides, 1))

    height, width = kernel.shape[:2]
    patches = jnp.concatenate([shifted(i, j) for i in range(height) for j in range(width)], axis=-1)
    return patches @ kernel.reshape(-1, kernel.shape[-1])
