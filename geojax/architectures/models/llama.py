"""Llama: a decoder of text with RMS norms, rotary positions, grouped queries and gated units."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from geojax.architectures.parts.architecture import Architecture, Shapes
from geojax.architectures.parts.attention import attention, causal_mask, rotary_angles, rotate, split_heads
from geojax.architectures.parts.fields import Fields
from geojax.architectures.parts.layers import (
    ACTIVATIONS,
    Params,
    check_tokens,
    embed,
    example_tokens,
    linear,
    linear_shapes,
    rms_norm,
)


@dataclasses.dataclass(frozen=True)
class LlamaConfig:
    """Sizes and switches of a Llama, named as in its config.json.

    Attributes:
        vocab_size: Number of tokens.
        hidden_size: Width of the residual stream.
        intermediate_size: Gated units of a layer.
        num_hidden_layers: Number of layers.
        num_attention_heads: Query heads of a layer.
        num_key_value_heads: Key heads of a layer; each serves the same number of query heads.
        head_dim: Width of a head.
        hidden_act: Name of the activation function of the gate.
        max_position_embeddings: Longest sequence that the model was trained for.
        rms_norm_eps: Added to the mean square in norms.
        frequencies: Angle by which each pair of a head's dimensions turns from one position to the next.
        attention_bias: Whether the four linear maps of attention have biases.
        mlp_bias: Whether the linear maps around the gated units have biases.
        head: Whether `llama` returns the scores of the next token (LlamaForCausalLM) or the last hidden states
            (LlamaModel).
        tie_word_embeddings: Whether the output layer is the transposed embedding.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    hidden_act: str
    max_position_embeddings: int
    rms_norm_eps: float
    frequencies: tuple[float, ...]
    attention_bias: bool
    mlp_bias: bool
    head: bool
    tie_word_embeddings: bool


def llama(config: Mapping[str, Any]) -> Architecture:
    """A decoder of text with rotary positions and grouped queries: Llama and other models with the same layout.

    Inputs are token numbers [batch, length], and optionally a mask of the tokens that are
    present [batch, length].
    Outputs are the scores of the next token [batch, length, vocab_size], or without the head the last hidden states
    [batch, length, hidden_size]. Rotary frequencies may be scaled linearly or as Llama 3.1 does.

    Args:
        config: The fields of a config.json; those with a default may be left out.

    Returns:
        The `Architecture`.

    Raises:
        ValueError: If a field is missing, wrong or contradicts another.

    Differentiation: the model is differentiable in its parameters.
    Complexity: O(length hidden (hidden + intermediate) + length^2 hidden) for each layer and sequence.

    Example:
        >>> import geojax as gj
        >>> sizes = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 5}
        >>> arch = gj.architectures.llama(sizes | {"num_attention_heads": 4, "num_key_value_heads": 2})
        >>> arch.shapes()["layers.0.self_attn.k_proj.weight"].shape
        (4, 8)

    References: [Touvron2023]; [SuLu2024]; [Ainslie2023]; [ZhangSennrich2019]
    """
    fields = Fields("llama config", config)
    hidden, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    if "head_dim" not in config or config["head_dim"] is None:
        fields.divides("num_attention_heads", heads, "hidden_size", hidden)
    width = fields.size("head_dim", max(1, hidden // heads))
    fields.divides("2", 2, "head_dim", width)
    sizes = LlamaConfig(
        vocab_size=fields.size("vocab_size"),
        hidden_size=hidden,
        intermediate_size=fields.size("intermediate_size"),
        num_hidden_layers=fields.size("num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=fields.size("num_key_value_heads", heads),
        head_dim=width,
        hidden_act=fields.activation("hidden_act", "silu"),
        max_position_embeddings=fields.size("max_position_embeddings", 2048),
        rms_norm_eps=fields.number("rms_norm_eps", 1e-6),
        frequencies=_frequencies(fields, width),
        attention_bias=fields.flag("attention_bias", False),
        mlp_bias=fields.flag("mlp_bias", False),
        head=fields.head("LlamaForCausalLM", "LlamaModel"),
        tie_word_embeddings=fields.flag("tie_word_embeddings", False),
    )
    fields.divides("num_key_value_heads", sizes.num_key_value_heads, "num_attention_heads", heads)
    tied = sizes.head and sizes.tie_word_embeddings
    copies = (("lm_head.weight", "embed_tokens.weight"),) if tied else ()
    return Architecture("llama", sizes, "model.", copies, _forward, _shapes, _inputs)


def _frequencies(fields: Fields, width: int) -> tuple[float, ...]:
    """Rotary frequencies, from the fields of old or of new configurations."""
    given = fields.values.get("rope_parameters") or fields.values.get("rope_scaling") or {}
    if not isinstance(given, Mapping):
        raise fields.error(f"rope_scaling is {given!r}; expected a mapping")
    rope = Fields(f"{fields.where}, rotary positions", {"rope_type": given.get("type"), **given})
    kind = rope.choice("rope_type", ("default", "linear", "llama3"), "default")
    base = rope.number("rope_theta", fields.number("rope_theta", 10000.0))
    plain = [base ** (-2 * i / width) for i in range(width // 2)]
    if kind == "default":
        return tuple(plain)
    factor = rope.number("factor")
    if kind == "linear":
        return tuple(frequency / factor for frequency in plain)
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    length = rope.size("original_max_position_embeddings")
    if not low < high:
        raise rope.error(f"low_freq_factor is {low}, which is not below high_freq_factor = {high}")
    turns = [length * frequency / (2 * math.pi) for frequency in plain]
    kept = [min(1.0, max(0.0, (turn - low) / (high - low))) for turn in turns]
    return tuple(f * (k + (1 - k) / factor) for f, k in zip(plain, kept, strict=True))


def _shapes(config: LlamaConfig) -> Shapes:
    n, inner = config.hidden_size, config.intermediate_size
    wide, narrow = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    shapes: Shapes = {"embed_tokens.weight": (config.vocab_size, n)}
    for i in range(config.num_hidden_layers):
        attend, units = f"layers.{i}.self_attn", f"layers.{i}.mlp"
        shapes |= linear_shapes(f"{attend}.q_proj", n, wide, config.attention_bias)
        shapes |= linear_shapes(f"{attend}.k_proj", n, narrow, config.attention_bias)
        shapes |= linear_shapes(f"{attend}.v_proj", n, narrow, config.attention_bias)
        shapes |= linear_shapes(f"{attend}.o_proj", wide, n, config.attention_bias)
        shapes |= linear_shapes(f"{units}.gate_proj", n, inner, config.mlp_bias)
        shapes |= linear_shapes(f"{units}.up_proj", n, inner, config.mlp_bias)
        shapes |= linear_shapes(f"{units}.down_proj", inner, n, config.mlp_bias)
        shapes |= {
            f"layers.{i}.{name}.weight": (n,) for name in ("input_layernorm", "post_attention_layernorm")
        }
    shapes["norm.weight"] = (n,)
    if config.head and not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, n)
    return shapes


def _inputs(config: LlamaConfig) -> tuple[jax.ShapeDtypeStruct, ...]:
    return example_tokens(config.max_position_embeddings)


def _forward(
    config: LlamaConfig,
    params: Params,
    tokens: Int[Array, "b t"],
    mask: Int[Array, "b t"] | None = None,
) -> Float[Array, "b t n"]:
    check_tokens("llama", tokens, mask=mask)
    epsilon, activation = config.rms_norm_eps, ACTIVATIONS[config.hidden_act]
    allowed = causal_mask(tokens.shape[1], mask)
    angles = rotary_angles(tokens.shape[1], np.asarray(config.frequencies))
    x = embed(params["embed_tokens.weight"], tokens)
    for i in range(config.num_hidden_layers):
        attend, units = f"layers.{i}.self_attn", f"layers.{i}.mlp"
        y = rms_norm(params, f"layers.{i}.input_layernorm", x, epsilon)
        query = split_heads(linear(params, f"{attend}.q_proj", y), config.num_attention_heads)
        key = split_heads(linear(params, f"{attend}.k_proj", y), config.num_key_value_heads)
        value = split_heads(linear(params, f"{attend}.v_proj", y), config.num_key_value_heads)
        y = attention(rotate(query, angles), rotate(key, angles), value, mask=allowed)
        x = x + linear(params, f"{attend}.o_proj", y)
        y = rms_norm(params, f"layers.{i}.post_attention_layernorm", x, epsilon)
        y = activation(linear(params, f"{units}.gate_proj", y)) * linear(params, f"{units}.up_proj", y)
        x = x + linear(params, f"{units}.down_proj", y)
    x = rms_norm(params, "norm", x, epsilon)
    if not config.head:
        return x
    return x @ params["embed_tokens.weight" if config.tie_word_embeddings else "lm_head.weight"].T
