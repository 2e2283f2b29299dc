"""ResNet: convolutions with batch normalisation in residual blocks, basic or bottleneck."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.architectures.parts.architecture import Architecture, Shapes
from geojax.architectures.parts.fields import Fields
from geojax.architectures.parts.layers import (
    ACTIVATIONS,
    Params,
    batch_norm,
    convolution,
    linear,
    linear_shapes,
    norm_shapes,
)


@dataclasses.dataclass(frozen=True)
class ResnetConfig:
    """Sizes and switches of a ResNet, named as in its config.json.

    Attributes:
        num_channels: Channels of an image.
        embedding_size: Channels after the stem.
        hidden_sizes: Channels of each stage.
        depths: Number of residual blocks of each stage.
        layer_type: Kind of a residual block: "basic" (two 3x3 convolutions) or "bottleneck" (1x1, 3x3 and 1x1, with a
            quarter of the channels between them).
        hidden_act: Name of the activation function after the stem and after residual blocks; inside them it is relu.
        downsample_in_first_stage: Whether the first stage halves rows and columns, as the others do.
        downsample_in_bottleneck: Whether a bottleneck halves them in its first convolution or its second.
        num_labels: Number of classes.
        head: Whether `resnet` returns the scores of the classes (ResNetForImageClassification) or the last hidden
            states (ResNetModel).
    """

    num_channels: int
    embedding_size: int
    hidden_sizes: tuple[int, ...]
    depths: tuple[int, ...]
    layer_type: str
    hidden_act: str
    downsample_in_first_stage: bool
    downsample_in_bottleneck: bool
    num_labels: int
    head: bool


@dataclasses.dataclass(frozen=True)
class _Convolution:
    """One convolution with its norm: name, channels in and out, side of the kernel, stride."""

    name: str
    inputs: int
    outputs: int
    side: int
    stride: int = 1


def resnet(config: Mapping[str, Any]) -> Architecture:
    """A residual convolutional network with batch normalisation by its running statistics.

    Inputs are images [batch, num_channels, rows, columns] of any size. Outputs are the scores of the classes [batch,
    num_labels], or without the head the last hidden states [batch, channels, rows, columns]. The counters of batches
    in a checkpoint are not read.

    Args:
        config: The fields of a config.json; those with a default may be left out.

    Returns:
        The `Architecture`.

    Raises:
        ValueError: If a field is missing, wrong or contradicts another.

    Differentiation: the model is differentiable in its parameters, at relu's kinks as `jax.nn.relu` is.
    Complexity: that of its convolutions.

    Example:
        >>> import jax
        >>> import geojax as gj
        >>> sizes = {"embedding_size": 4, "hidden_sizes": [4, 6], "depths": [1, 1], "num_labels": 3}
        >>> arch = gj.architectures.resnet(sizes | {"layer_type": "basic"})
        >>> jax.eval_shape(arch.apply, arch.shapes(), *arch.inputs()).shape
        (2, 3)

    References: [HeZhang2016]
    """
    fields = Fields("resnet config", config)
    sizes = ResnetConfig(
        num_channels=fields.size("num_channels", 3),
        embedding_size=fields.size("embedding_size"),
        hidden_sizes=fields.sizes("hidden_sizes"),
        depths=fields.sizes("depths"),
        layer_type=fields.choice("layer_type", ("basic", "bottleneck"), "bottleneck"),
        hidden_act=fields.activation("hidden_act", "relu"),
        downsample_in_first_stage=fields.flag("downsample_in_first_stage", False),
        downsample_in_bottleneck=fields.flag("downsample_in_bottleneck", False),
        num_labels=fields.labels(),
        head=fields.head("ResNetForImageClassification", "ResNetModel"),
    )
    if len(sizes.hidden_sizes) != len(sizes.depths):
        raise fields.error(
            f"hidden_sizes has {len(sizes.hidden_sizes)} stages and depths has {len(sizes.depths)}; "
            "expected one number of each for each stage"
        )
    if sizes.layer_type == "bottleneck" and min(sizes.hidden_sizes) < 4:
        raise fields.error(f"hidden_sizes is {sizes.hidden_sizes}; a bottleneck needs 4 channels or more")
    return Architecture("resnet", sizes, "resnet.", (), _forward, _shapes, _inputs)


def _blocks(config: ResnetConfig) -> Iterator[tuple[_Convolution | None, list[_Convolution]]]:
    """The shortcut, which may be None, and the convolutions of each residual block."""
    width = config.embedding_size
    for s, (outputs, depth) in enumerate(zip(config.hidden_sizes, config.depths, strict=True)):
        for b in range(depth):
            name = f"encoder.stages.{s}.layers.{b}"
            stride = 2 if b == 0 and (s > 0 or config.downsample_in_first_stage) else 1
            shortcut = None
            if width != outputs or stride != 1:
                shortcut = _Convolution(f"{name}.shortcut", width, outputs, 1, stride)
            if config.layer_type == "basic":
                sides, widths, strides = (3, 3), (width, outputs, outputs), (stride, 1)
            else:
                inner = outputs // 4
                sides, widths = (1, 3, 1), (width, inner, inner, outputs)
                strides = (stride, 1, 1) if config.downsample_in_bottleneck else (1, stride, 1)
            layers = [
                _Convolution(f"{name}.layer.{i}", widths[i], widths[i + 1], side, strides[i])
                for i, side in enumerate(sides)
            ]
            yield shortcut, layers
            width = outputs


def _stem(config: ResnetConfig) -> _Convolution:
    return _Convolution("embedder.embedder", config.num_channels, config.embedding_size, 7, 2)


def _shapes(config: ResnetConfig) -> Shapes:
    convolutions = [_stem(config)]
    for shortcut, layers in _blocks(config):
        convolutions += [*([shortcut] if shortcut else []), *layers]
    shapes: Shapes = {}
    for c in convolutions:
        shapes[f"{c.name}.convolution.weight"] = (c.outputs, c.inputs, c.side, c.side)
        shapes |= norm_shapes(f"{c.name}.normalization", c.outputs)
        shapes |= {f"{c.name}.normalization.running_{part}": (c.outputs,) for part in ("mean", "var")}
    head = linear_shapes("classifier.1", config.hidden_sizes[-1], config.num_labels)
    return shapes | (head if config.head else {})


def _inputs(config: ResnetConfig) -> tuple[jax.ShapeDtypeStruct, ...]:
    side = 2 ** (len(config.depths) + 2)
    return (jax.ShapeDtypeStruct((2, config.num_channels, side, side), np.dtype(np.float32)),)


def _forward(config: ResnetConfig, params: Params, images: Float[Array, "b c h w"]) -> Float[Array, "b ..."]:
    checks.shapes("resnet", images=(images, f"b {config.num_channels} h w"))
    activation = ACTIVATIONS[config.hidden_act]
    x = _pool(activation(_convolve(params, _stem(config), images)))
    for shortcut, layers in _blocks(config):
        y = x
        for layer in layers[:-1]:
            y = jax.nn.relu(_convolve(params, layer, y))
        y = _convolve(params, layers[-1], y)
        x = activation(y + (_convolve(params, shortcut, x) if shortcut else x))
    return linear(params, "classifier.1", jnp.mean(x, axis=(2, 3))) if config.head else x


def _convolve(params: Params, c: _Convolution, x: Float[Array, "b c h w"]) -> Float[Array, "b m i j"]:
    y = convolution(params[f"{c.name}.convolution.weight"], x, stride=c.stride, padding=c.side // 2)
    return batch_norm(params, f"{c.name}.normalization", y)


def _pool(x: Float[Array, "b c h w"]) -> Float[Array, "b c i j"]:
    """The maximum of each 3 x 3 window, in steps of 2."""
    return jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 1, 3, 3), (1, 1, 2, 2), [(0, 0), (0, 0), (1, 1), (1, 1)]
    )
