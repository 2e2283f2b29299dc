"""Small models of each family, with parameters and inputs by formula and outputs of the transformers library.

The outputs are those of transformers 5.23.0 with torch 2.13.0 in float64, with eager attention: the last row of the
first text and the second row of the second, or the two images, three numbers each. The library computes rotary
frequencies and ViT's attention in float32, so its numbers are right to about 1e-6.
"""

import dataclasses
import functools
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geojax.architectures import Architecture, from_config
from tests.symmetry.inference.gallery.example import (
    Expected,
    general_linear,
    permutation,
    rotation,
    scaling,
    sign,
)

MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
SEGMENTS = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0]])

BERT = {
    "model_type": "bert",
    "vocab_size": 11,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "max_position_embeddings": 8,
}
GPT2 = {"model_type": "gpt2", "vocab_size": 11, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 8}
LLAMA = {
    "model_type": "llama",
    "vocab_size": 11,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 10,
}
VIT = {
    "model_type": "vit",
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 10,
    "image_size": 8,
    "patch_size": 4,
    "num_labels": 5,
}
RESNET = {
    "model_type": "resnet",
    "embedding_size": 4,
    "hidden_sizes": [8, 12],
    "depths": [2, 1],
    "num_labels": 5,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A model, what the library computes with it, and its symmetry derived by hand."""

    name: str
    config: dict[str, Any]
    outputs: tuple[float, ...]
    groups: tuple[Expected, ...]
    reason: str

    @functools.cached_property
    def arch(self) -> Architecture:
        return from_config(self.config)

    @functools.cached_property
    def params(self) -> dict[str, jax.Array]:
        return {name: jnp.asarray(formula(name, s.shape)) for name, s in self.arch.shapes().items()}

    @functools.cached_property
    def inputs(self) -> tuple[jax.Array, ...]:
        """Longer texts, some masked, than `Architecture.inputs` has: what was inferred there must hold here."""
        kind = self.arch.name
        if kind in ("vit", "resnet"):
            side = 8 if kind == "vit" else 21
            return (jnp.asarray(wave((2, 3, side, side))),)
        tokens = (np.arange(12).reshape(2, 6) * 7 + 3) % 11
        more = (MASK, SEGMENTS) if kind == "bert" else (MASK,)
        return tuple(map(jnp.asarray, (tokens, *more)))

    @functools.cached_property
    def compiled(self):
        return jax.jit(self.arch.apply)

    def run(self, params) -> np.ndarray:
        return np.asarray(self.compiled(params, *self.inputs))


def wave(shape: tuple[int, ...], phase: float = 0.0) -> np.ndarray:
    """Sines of squares: numbers without pattern that any language can compute."""
    return np.sin(0.37 * np.arange(1, 1 + np.prod(shape), dtype=np.float64).reshape(shape) ** 2 + phase)


def formula(name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = wave(shape, zlib.crc32(name.encode()) % 1000)
    if name.endswith("running_var"):
        return 1 + 0.5 * values
    if len(shape) == 1:
        return 1 + 0.3 * values if name.endswith("weight") else 0.3 * values
    return values / np.sqrt(np.prod(shape[1:]))


def attention(heads: int, width: int) -> tuple[Expected, ...]:
    """Heads as wholes, and in each a basis of queries with keys and one of values with outputs."""
    inner = (permutation(width, heads), general_linear(width, heads))
    return (permutation(heads), *inner, *inner)


def norm(width: int) -> tuple[Expected, ...]:
    """A norm's scale and shift against the linear maps that alone read it."""
    return (scaling(width), sign(width))


ROTARY = (
    permutation(2),
    permutation(2, 2),
    permutation(4, 2),
    general_linear(4, 2),
    scaling(2, 2),
    rotation(2, 2, 2),
)
UNITS = (permutation(10), scaling(10), sign(10))


def unit(width: int) -> tuple[Expected, ...]:
    """Hidden channels: the convolution against its norm, the norm against the next convolution through the relu."""
    return (permutation(width), scaling(width), scaling(width), sign(width))


def stream(width: int, branches: int, relu: bool = True) -> tuple[Expected, ...]:
    """Channels of a stage: each convolution that adds to them against its norm, and through relu all together."""
    return (permutation(width), *(scaling(width),) * (branches + relu), *(sign(width),) * branches)


MODELS = (
    Model(
        "bert",
        {**BERT, "architectures": ["BertModel"]},
        (-0.149631042, 1.379019211, -0.559647595, -2.077308689, -0.800732067, 0.649578535),
        (*attention(3, 4), permutation(10)) * 2,
        "the stream is the output and goes through every norm",
    ),
    Model(
        "bert for masked tokens",
        {**BERT, "architectures": ["BertForMaskedLM"]},
        (1.750079964, -0.168189282, 0.117280747, 1.470809225, 0.683050621, -0.671895553),
        (permutation(12), *(*attention(3, 4), permutation(10)) * 2, *norm(12)),
        "tied embeddings free the stream's order, the norm before the head is read by one linear map",
    ),
    Model(
        "gpt2",
        GPT2,
        (-1.77487216, -0.710682832, 0.463104077, -1.795189265, 0.244187369, 0.108067354),
        (permutation(12), *(*attention(3, 4), permutation(48), *norm(12), *norm(12)) * 2),
        "the last norm is read by the embedding, which is tied",
    ),
    Model(
        "gpt2 with relus",
        {**GPT2, "n_inner": 7, "scale_attn_by_inverse_layer_idx": True, "activation_function": "relu"},
        (-1.593535404, -0.519071548, 0.503901779, -1.742951569, 0.245590944, 0.899543967),
        (permutation(12), *(*attention(3, 4), permutation(7), scaling(7), *norm(12), *norm(12)) * 2),
        "relu units scale",
    ),
    Model(
        "llama",
        {**LLAMA, "rope_parameters": LLAMA3},
        (0.72146523, -0.260984448, -0.046704367, 0.637274929, -0.521864901, -0.483081971),
        (permutation(16), sign(16), *(*ROTARY, *UNITS, *norm(16), *norm(16)) * 2, *norm(16)),
        "rotary positions leave a complex factor for each frequency of a key head; gated units are linear in the "
        "up-projection; without a mean to subtract the stream has signs",
    ),
    Model(
        "llama tied with biases",
        {**LLAMA, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
        (-1.946030107, -0.323851782, -0.139805001, -2.073428346, -0.467086319, -0.341364935),
        (permutation(16), sign(16), *(*ROTARY, *UNITS, *norm(16), *norm(16)) * 2),
        "biases move along; the last norm is read by the embedding, which is tied",
    ),
    Model(
        "vit",
        VIT,
        (1.294954668, 0.425580533, 1.111047856, 1.228812626, 0.266059227, 1.340564289),
        (permutation(12), *(*attention(3, 4), permutation(10), *norm(12), *norm(12)) * 2, *norm(12)),
        "as a transformer of text, with a head of its own",
    ),
    Model(
        "resnet",
        {**RESNET, "layer_type": "basic"},
        (0.03666685, -0.577503553, 0.384675372, 0.04295226, -0.548670932, 0.389933433),
        (*unit(4), *stream(8, 3), *unit(8) * 2, *stream(12, 2), *unit(12)),
        "the stem and the middle of blocks are hidden layers; a stage has a shortcut and its blocks",
    ),
    Model(
        "resnet of bottlenecks",
        {
            **RESNET,
            "layer_type": "bottleneck",
            "downsample_in_bottleneck": True,
            "downsample_in_first_stage": True,
            "hidden_act": "silu",
        },
        (-0.522352755, -0.076495188, 0.106490266, -0.520653995, -0.069233726, 0.104419435),
        (*stream(4, 1, False), *stream(8, 3, False), *unit(2) * 4, *stream(12, 2, False), *unit(3) * 2),
        "units inside blocks are relus whatever the activation at their end is, which does not scale here",
    ),
)
