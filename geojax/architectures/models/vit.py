"""The vision transformer: an encoder of image patches with a norm before each branch."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.architectures.parts.architecture import Architecture, Shapes
from geojax.architectures.parts.attention import attention, split_heads
from geojax.architectures.parts.fields import Fields
from geojax.architectures.parts.layers import (
    ACTIVATIONS,
    Params,
    convolution,
    layer_norm,
    linear,
    linear_shapes,
    norm_shapes,
)


@dataclasses.dataclass(frozen=True)
class VitConfig:
    """Sizes and switches of a vision transformer, named as in its config.json.

    Attributes:
        hidden_size: Width of the residual stream.
        num_hidden_layers: Number of layers.
        num_attention_heads: Heads of a layer.
        intermediate_size: Units between the two linear maps of a layer.
        image_size: Rows and columns of an image.
        patch_size: Rows and columns of a patch.
        num_channels: Channels of an image.
        num_labels: Number of classes.
        hidden_act: Name of the activation function.
        layer_norm_eps: Added to the variance in norms.
        qkv_bias: Whether query, key and value maps have biases.
        head: Whether `vit` returns the scores of the classes (ViTForImageClassification) or the last hidden states
            (ViTModel).
    """

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    image_size: int
    patch_size: int
    num_channels: int
    num_labels: int
    hidden_act: str
    layer_norm_eps: float
    qkv_bias: bool
    head: bool


def vit(config: Mapping[str, Any]) -> Architecture:
    """A vision transformer on square images.

    Inputs are images [batch, num_channels, image_size, image_size]. Outputs are the scores of the classes [batch,
    num_labels], or without the head the last hidden states [batch, 1 + patches, hidden_size]. The pooler is not read.

    Args:
        config: The fields of a config.json; those with a default may be left out.

    Returns:
        The `Architecture`.

    Raises:
        ValueError: If a field is missing, wrong or contradicts another.

    Differentiation: the model is differentiable in its parameters.
    Complexity: O(p hidden^2 + p^2 hidden) for each layer and image of p patches.

    Example:
        >>> import jax
        >>> import geojax as gj
        >>> sizes = {"hidden_size": 6, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        >>> arch = gj.architectures.vit(sizes | {"image_size": 4, "patch_size": 2, "num_labels": 3})
        >>> jax.eval_shape(arch.apply, arch.shapes(), *arch.inputs()).shape
        (2, 3)

    References: [Dosovitskiy2021]
    """
    fields = Fields("vit config", config)
    sizes = VitConfig(
        hidden_size=fields.size("hidden_size"),
        num_hidden_layers=fields.size("num_hidden_layers"),
        num_attention_heads=fields.size("num_attention_heads"),
        intermediate_size=fields.size("intermediate_size"),
        image_size=fields.size("image_size"),
        patch_size=fields.size("patch_size"),
        num_channels=fields.size("num_channels", 3),
        num_labels=fields.labels(),
        hidden_act=fields.activation("hidden_act", "gelu"),
        layer_norm_eps=fields.number("layer_norm_eps", 1e-12),
        qkv_bias=fields.flag("qkv_bias", True),
        head=fields.head("ViTForImageClassification", "ViTModel"),
    )
    fields.divides("num_attention_heads", sizes.num_attention_heads, "hidden_size", sizes.hidden_size)
    fields.divides("patch_size", sizes.patch_size, "image_size", sizes.image_size)
    return Architecture("vit", sizes, "vit.", (), _forward, _shapes, _inputs)


def _shapes(config: VitConfig) -> Shapes:
    n, patch = config.hidden_size, config.patch_size
    patches = (config.image_size // patch) ** 2
    shapes: Shapes = {
        "embeddings.cls_token": (1, 1, n),
        "embeddings.position_embeddings": (1, 1 + patches, n),
        "embeddings.patch_embeddings.projection.weight": (n, config.num_channels, patch, patch),
        "embeddings.patch_embeddings.projection.bias": (n,),
    }
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes |= linear_shapes(f"{layer}.attention.attention.{part}", n, n, config.qkv_bias)
        shapes |= linear_shapes(f"{layer}.attention.output.dense", n, n)
        shapes |= linear_shapes(f"{layer}.intermediate.dense", n, config.intermediate_size)
        shapes |= linear_shapes(f"{layer}.output.dense", config.intermediate_size, n)
        shapes |= norm_shapes(f"{layer}.layernorm_before", n)
        shapes |= norm_shapes(f"{layer}.layernorm_after", n)
    shapes |= norm_shapes("layernorm", n)
    return shapes | (linear_shapes("classifier", n, config.num_labels) if config.head else {})


def _inputs(config: VitConfig) -> tuple[jax.ShapeDtypeStruct, ...]:
    side = config.image_size
    return (jax.ShapeDtypeStruct((2, config.num_channels, side, side), np.dtype(np.float32)),)


def _forward(config: VitConfig, params: Params, images: Float[Array, "b c h w"]) -> Float[Array, "b ..."]:
    size = f"{config.num_channels} {config.image_size} {config.image_size}"
    checks.shapes("vit", images=(images, f"b {size}"))
    epsilon, activation = config.layer_norm_eps, ACTIVATIONS[config.hidden_act]
    n, patch = config.hidden_size, config.patch_size
    projection = "embeddings.patch_embeddings.projection"
    x = convolution(params[f"{projection}.weight"], images, stride=patch, padding=0)
    x = x.reshape(*x.shape[:2], -1).swapaxes(1, 2) + params[f"{projection}.bias"]
    first = jnp.broadcast_to(params["embeddings.cls_token"], (len(x), 1, n)).astype(x.dtype)
    x = jnp.concatenate([first, x], axis=1) + params["embeddings.position_embeddings"]
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        y = layer_norm(params, f"{layer}.layernorm_before", x, epsilon)
        query, key, value = (
            split_heads(linear(params, f"{layer}.attention.attention.{part}", y), config.num_attention_heads)
            for part in ("query", "key", "value")
        )
        x = x + linear(params, f"{layer}.attention.output.dense", attention(query, key, value))
        y = layer_norm(params, f"{layer}.layernorm_after", x, epsilon)
        y = activation(linear(params, f"{layer}.intermediate.dense", y))
        x = x + linear(params, f"{layer}.output.dense", y)
    x = layer_norm(params, "layernorm", x, epsilon)
    return linear(params, "classifier", x[:, 0]) if config.head else x
