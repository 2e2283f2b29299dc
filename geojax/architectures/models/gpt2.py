"""GPT-2: a decoder of text with a norm before each branch, whose linear maps are stored as [in, out]."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.architectures.parts.architecture import Architecture, Shapes
from geojax.architectures.parts.attention import attention, causal_mask, split_heads
from geojax.architectures.parts.fields import Fields
from geojax.architectures.parts.layers import (
    ACTIVATIONS,
    Params,
    check_tokens,
    embed,
    example_tokens,
    layer_norm,
    norm_shapes,
)


@dataclasses.dataclass(frozen=True)
class Gpt2Config:
    """Sizes and switches of a GPT-2, named as in its config.json.

    Attributes:
        vocab_size: Number of tokens.
        n_positions: Longest sequence.
        n_embd: Width of the residual stream.
        n_layer: Number of layers.
        n_head: Heads of a layer.
        n_inner: Units between the two linear maps of a layer.
        activation_function: Name of the activation function.
        layer_norm_epsilon: Added to the variance in norms.
        scale_attn_weights: Whether scores are divided by the root of a head's width.
        scale_attn_by_inverse_layer_idx: Whether scores are also divided by the number of the layer, counted from 1.
        head: Whether `gpt2` returns the scores of the next token (GPT2LMHeadModel) or the last hidden states
            (GPT2Model).
        tie_word_embeddings: Whether the output layer is the transposed embedding.
    """

    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int
    activation_function: str
    layer_norm_epsilon: float
    scale_attn_weights: bool
    scale_attn_by_inverse_layer_idx: bool
    head: bool
    tie_word_embeddings: bool


def gpt2(config: Mapping[str, Any]) -> Architecture:
    """A decoder of text with learned positions: GPT-2 and other models with the same layout.

    Inputs are token numbers [batch, length], and optionally a mask of the tokens that are
    present [batch, length].
    Outputs are the scores of the next token [batch, length, vocab_size], or without the head the last hidden states
    [batch, length, n_embd].

    Args:
        config: The fields of a config.json; those with a default may be left out.

    Returns:
        The `Architecture`.

    Raises:
        ValueError: If a field is missing, wrong or contradicts another.

    Differentiation: the model is differentiable in its parameters.
    Complexity: O(length n_embd^2 + length^2 n_embd) for each layer and sequence.

    Example:
        >>> import geojax as gj
        >>> sizes = {"vocab_size": 9, "n_positions": 5, "n_embd": 6, "n_layer": 1, "n_head": 2}
        >>> arch = gj.architectures.gpt2(sizes)
        >>> arch.shapes()["h.0.attn.c_attn.weight"].shape
        (6, 18)

    References: [Radford2019]
    """
    fields = Fields("gpt2 config", config)
    width = fields.size("n_embd")
    sizes = Gpt2Config(
        vocab_size=fields.size("vocab_size"),
        n_positions=fields.size("n_positions"),
        n_embd=width,
        n_layer=fields.size("n_layer"),
        n_head=fields.size("n_head"),
        n_inner=fields.size("n_inner", 4 * width),
        activation_function=fields.activation("activation_function", "gelu_new"),
        layer_norm_epsilon=fields.number("layer_norm_epsilon", 1e-5),
        scale_attn_weights=fields.flag("scale_attn_weights", True),
        scale_attn_by_inverse_layer_idx=fields.flag("scale_attn_by_inverse_layer_idx", False),
        head=fields.head("GPT2LMHeadModel", "GPT2Model"),
        tie_word_embeddings=fields.flag("tie_word_embeddings", True),
    )
    fields.divides("n_head", sizes.n_head, "n_embd", sizes.n_embd)
    if fields.flag("add_cross_attention", False):
        raise fields.error("add_cross_attention is true; this architecture attends to its own tokens only")
    tied = sizes.head and sizes.tie_word_embeddings
    copies = (("lm_head.weight", "wte.weight"),) if tied else ()
    return Architecture("gpt2", sizes, "transformer.", copies, _forward, _shapes, _inputs)


def _shapes(config: Gpt2Config) -> Shapes:
    n, inner = config.n_embd, config.n_inner
    shapes: Shapes = {"wte.weight": (config.vocab_size, n), "wpe.weight": (config.n_positions, n)}
    for i in range(config.n_layer):
        shapes |= norm_shapes(f"h.{i}.ln_1", n)
        shapes |= {f"h.{i}.attn.c_attn.weight": (n, 3 * n), f"h.{i}.attn.c_attn.bias": (3 * n,)}
        shapes |= {f"h.{i}.attn.c_proj.weight": (n, n), f"h.{i}.attn.c_proj.bias": (n,)}
        shapes |= norm_shapes(f"h.{i}.ln_2", n)
        shapes |= {f"h.{i}.mlp.c_fc.weight": (n, inner), f"h.{i}.mlp.c_fc.bias": (inner,)}
        shapes |= {f"h.{i}.mlp.c_proj.weight": (inner, n), f"h.{i}.mlp.c_proj.bias": (n,)}
    shapes |= norm_shapes("ln_f", n)
    if config.head and not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, n)
    return shapes


def _inputs(config: Gpt2Config) -> tuple[jax.ShapeDtypeStruct, ...]:
    return example_tokens(config.n_positions)


def _forward(
    config: Gpt2Config,
    params: Params,
    tokens: Int[Array, "b t"],
    mask: Int[Array, "b t"] | None = None,
) -> Float[Array, "b t n"]:
    check_tokens("gpt2", tokens, config.n_positions, mask=mask)
    epsilon, activation = config.layer_norm_epsilon, ACTIVATIONS[config.activation_function]
    length = tokens.shape[1]
    allowed = causal_mask(length, mask)
    x = embed(params["wte.weight"], tokens) + embed(params["wpe.weight"], jnp.arange(length))
    for i in range(config.n_layer):
        y = _linear(params, f"h.{i}.attn.c_attn", layer_norm(params, f"h.{i}.ln_1", x, epsilon))
        query, key, value = (split_heads(part, config.n_head) for part in jnp.split(y, 3, axis=-1))
        scale = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
        scale = scale / (i + 1) if config.scale_attn_by_inverse_layer_idx else scale
        y = attention(query, key, value, mask=allowed, scale=scale)
        x = x + _linear(params, f"h.{i}.attn.c_proj", y)
        y = activation(_linear(params, f"h.{i}.mlp.c_fc", layer_norm(params, f"h.{i}.ln_2", x, epsilon)))
        x = x + _linear(params, f"h.{i}.mlp.c_proj", y)
    x = layer_norm(params, "ln_f", x, epsilon)
    if not config.head:
        return x
    return x @ params["wte.weight" if config.tie_word_embeddings else "lm_head.weight"].T


def _linear(params: Params, name: str, x: Float[Array, "b t n"]) -> Float[Array, "b t m"]:
    return x @ params[f"{name}.weight"] + params[f"{name}.bias"]
