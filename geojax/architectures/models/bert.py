"""BERT and distilled models like it: encoders of text with a norm after each residual sum."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.architectures.parts.architecture import Architecture, Shapes
from geojax.architectures.parts.attention import attention, split_heads
from geojax.architectures.parts.fields import Fields
from geojax.architectures.parts.layers import (
    ACTIVATIONS,
    Params,
    check_tokens,
    embed,
    example_tokens,
    layer_norm,
    linear,
    linear_shapes,
    norm_shapes,
)


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Sizes and switches of a BERT, named as in its config.json.

    Attributes:
        vocab_size: Number of tokens.
        hidden_size: Width of the residual stream.
        num_hidden_layers: Number of layers.
        num_attention_heads: Heads of a layer.
        intermediate_size: Units between the two linear maps of a layer.
        max_position_embeddings: Longest sequence.
        type_vocab_size: Number of kinds of segment.
        hidden_act: Name of the activation function.
        layer_norm_eps: Added to the variance in norms.
        head: Whether `bert` returns the scores of masked tokens (BertForMaskedLM) or the last hidden states
            (BertModel).
        tie_word_embeddings: Whether the output layer is the transposed embedding.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    hidden_act: str
    layer_norm_eps: float
    head: bool
    tie_word_embeddings: bool


def bert(config: Mapping[str, Any]) -> Architecture:
    """An encoder of text: BERT, MiniLM and other models with the same layout.

    Inputs are token numbers [batch, length], and optionally a mask of the tokens that are
    present [batch, length] and the segment of each token [batch, length]. Outputs are the last hidden states [batch,
    length, hidden_size], or with the head for masked tokens their scores [batch, length, vocab_size]. The pooler is not
    read.

    Args:
        config: The fields of a config.json; those with a default may be left out.

    Returns:
        The `Architecture`.

    Raises:
        ValueError: If a field is missing, wrong or contradicts another.

    Differentiation: the model is differentiable in its parameters.
    Complexity: O(length hidden^2 + length^2 hidden) for each layer and sequence.

    Example:
        >>> import jax
        >>> import geojax as gj
        >>> sizes = {"vocab_size": 9, "hidden_size": 6, "num_hidden_layers": 1, "num_attention_heads": 2}
        >>> more = {"intermediate_size": 8, "max_position_embeddings": 5, "architectures": ["BertModel"]}
        >>> arch = gj.architectures.bert(sizes | more)
        >>> jax.eval_shape(arch.apply, arch.shapes(), *arch.inputs()).shape
        (2, 5, 6)

    References: [Devlin2019]; [WangWei2020]
    """
    fields = Fields("bert config", config)
    sizes = BertConfig(
        vocab_size=fields.size("vocab_size"),
        hidden_size=fields.size("hidden_size"),
        num_hidden_layers=fields.size("num_hidden_layers"),
        num_attention_heads=fields.size("num_attention_heads"),
        intermediate_size=fields.size("intermediate_size"),
        max_position_embeddings=fields.size("max_position_embeddings"),
        type_vocab_size=fields.size("type_vocab_size", 2),
        hidden_act=fields.activation("hidden_act", "gelu"),
        layer_norm_eps=fields.number("layer_norm_eps", 1e-12),
        head=fields.head("BertForMaskedLM", "BertModel"),
        tie_word_embeddings=fields.flag("tie_word_embeddings", True),
    )
    fields.divides("num_attention_heads", sizes.num_attention_heads, "hidden_size", sizes.hidden_size)
    fields.choice("position_embedding_type", ("absolute",), "absolute")
    if fields.flag("is_decoder", False):
        raise fields.error("is_decoder is true; this architecture is an encoder")
    copies = ()
    if sizes.head and sizes.tie_word_embeddings:
        copies = (
            ("cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        )
    return Architecture("bert", sizes, "bert.", copies, _forward, _shapes, _inputs)


def _shapes(config: BertConfig) -> Shapes:
    n = config.hidden_size
    shapes = {
        "embeddings.word_embeddings.weight": (config.vocab_size, n),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, n),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, n),
        **norm_shapes("embeddings.LayerNorm", n),
    }
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            shapes |= linear_shapes(f"{layer}.attention.self.{part}", n, n)
        shapes |= linear_shapes(f"{layer}.attention.output.dense", n, n)
        shapes |= norm_shapes(f"{layer}.attention.output.LayerNorm", n)
        shapes |= linear_shapes(f"{layer}.intermediate.dense", n, config.intermediate_size)
        shapes |= linear_shapes(f"{layer}.output.dense", config.intermediate_size, n)
        shapes |= norm_shapes(f"{layer}.output.LayerNorm", n)
    if config.head:
        shapes |= linear_shapes("cls.predictions.transform.dense", n, n)
        shapes |= norm_shapes("cls.predictions.transform.LayerNorm", n)
        if config.tie_word_embeddings:
            shapes["cls.predictions.bias"] = (config.vocab_size,)
        else:
            shapes |= linear_shapes("cls.predictions.decoder", n, config.vocab_size)
    return shapes


def _inputs(config: BertConfig) -> tuple[jax.ShapeDtypeStruct, ...]:
    return example_tokens(config.max_position_embeddings)


def _forward(
    config: BertConfig,
    params: Params,
    tokens: Int[Array, "b t"],
    mask: Int[Array, "b t"] | None = None,
    segments: Int[Array, "b t"] | None = None,
) -> Float[Array, "b t n"]:
    check_tokens("bert", tokens, config.max_position_embeddings, mask=mask, segments=segments)
    epsilon, activation = config.layer_norm_eps, ACTIVATIONS[config.hidden_act]
    words = params["embeddings.word_embeddings.weight"]
    x = embed(words, tokens)
    x = x + embed(
        params["embeddings.token_type_embeddings.weight"],
        jnp.zeros_like(tokens) if segments is None else segments,
    )
    x = x + embed(params["embeddings.position_embeddings.weight"], jnp.arange(tokens.shape[1]))
    x = layer_norm(params, "embeddings.LayerNorm", x, epsilon)
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        query, key, value = (
            split_heads(linear(params, f"{layer}.attention.self.{part}", x), config.num_attention_heads)
            for part in ("query", "key", "value")
        )
        allowed = (
            None if mask is None else jnp.broadcast_to(mask[:, None, :] > 0, (*mask.shape, mask.shape[1]))
        )
        y = attention(query, key, value, mask=allowed)
        y = linear(params, f"{layer}.attention.output.dense", y)
        x = layer_norm(params, f"{layer}.attention.output.LayerNorm", y + x, epsilon)
        y = activation(linear(params, f"{layer}.intermediate.dense", x))
        y = linear(params, f"{layer}.output.dense", y)
        x = layer_norm(params, f"{layer}.output.LayerNorm", y + x, epsilon)
    if not config.head:
        return x
    x = activation(linear(params, "cls.predictions.transform.dense", x))
    x = layer_norm(params, "cls.predictions.transform.LayerNorm", x, epsilon)
    if config.tie_word_embeddings:
        return x @ words.T + params["cls.predictions.bias"]
    return linear(params, "cls.predictions.decoder", x)
