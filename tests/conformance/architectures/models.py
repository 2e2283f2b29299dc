"""Cases of the architectures: what each builder returns, as a function of its tensors."""

import jax
import jax.numpy as jnp

from geojax import architectures
from tests.conformance.case import Case, exempt_all

TEXT = {"vocab_size": 4, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2}
TOKENS = jnp.array([[0, 2, 1, 3]])
CHEAP = ("docstring", "dtypes_kept", "gradient_matches_differences")
SHARED = exempt_all("llama and resnet are made of the same layers and pass it", but=CHEAP)
TRAINED = {"half_precision": "a model computes in the precision of its parameters"}
IMAGES = TRAINED | dict.fromkeys(
    ("jit_vmap_commute", "shard_map_equals_vmap", "pmap_equals_vmap"), "convolutions are dear to compile"
)


def text(name, *inputs, exemptions=SHARED, **config):
    """A model on all its tokens at all its positions: every number it has is read."""
    arch = architectures.from_config({"model_type": name, **config})
    return case(name, arch, TOKENS, *inputs, exemptions=exemptions)


def image(name, side, exemptions=SHARED, **config):
    arch = architectures.from_config({"model_type": name, "num_labels": 2, "num_channels": 2, **config})
    pixels = jnp.sin(jnp.arange(2.0 * side * side) ** 2).reshape(1, 2, side, side)
    return case(name, arch, pixels, exemptions=exemptions)


def case(name, arch, *inputs, exemptions):
    def arguments(key, dtype):
        shapes = sorted(arch.shapes().items())
        keys = jax.random.split(key, len(shapes))
        # Positive numbers suit variances, and keep the units of relus away from their kinks.
        draw = lambda k, n, s: jax.random.uniform(k, s.shape, dtype, 0.5 if n.endswith("var") else -0.5, 1.0)
        return ({n: draw(k, n, s) for k, (n, s) in zip(keys, shapes)},)

    return Case(
        name,
        architectures.ARCHITECTURES[name],
        arguments,
        call=lambda params: arch.apply(params, *inputs),
        differentiable=(0,),
        edges={"zeros": lambda dtype: jax.tree.map(jnp.zeros_like, arguments(jax.random.key(0), dtype))},
        exemptions=exemptions,
    )


CASES = [
    text("llama", **TEXT, intermediate_size=3, num_key_value_heads=1, exemptions=TRAINED),
    text(
        "bert",
        jnp.ones_like(TOKENS),
        jnp.array([[0, 0, 1, 1]]),
        **TEXT,
        intermediate_size=3,
        max_position_embeddings=4,
    ),
    text("gpt2", vocab_size=4, n_positions=4, n_embd=4, n_layer=1, n_head=2, n_inner=3),
    image(
        "vit",
        4,
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=3,
        image_size=4,
        patch_size=2,
    ),
    image("resnet", 8, embedding_size=2, hidden_sizes=[3], depths=[1], layer_type="basic", exemptions=IMAGES),
    Case(
        "from_config",
        architectures.from_config,
        lambda key, dtype: (),
        exemptions=exempt_all("reads a description; its result is an Architecture"),
    ),
]

DATA = {
    "ARCHITECTURES": "a table of the builders",
    "Architecture": "static data: what the builders return",
    "BertConfig": "static data: sizes and switches",
    "Gpt2Config": "static data: sizes and switches",
    "LlamaConfig": "static data: sizes and switches",
    "ResnetConfig": "static data: sizes and switches",
    "TensorNames": "static data: what Architecture.match returns",
    "VitConfig": "static data: sizes and switches",
}
