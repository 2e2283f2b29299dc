"""The architectures against outputs of the transformers library."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.architectures import bert, gpt2, llama, resnet, vit
from tests.architectures.models import BERT, GPT2, LLAMA, MODELS, RESNET, VIT

models = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name.replace(" ", "-"))


@models
def test_matches_transformers(model):
    outputs = model.run(model.params)
    text = outputs.ndim == 3
    got = np.concatenate(
        [outputs[0, -1, :3], outputs[1, 1, :3]] if text else [outputs[0, :3], outputs[1, :3]]
    )
    np.testing.assert_allclose(got, model.outputs, atol=1e-6)


@models
def test_shapes_init_and_inputs_agree_with_apply(model):
    arch = model.arch
    params = jax.eval_shape(arch.init, jax.random.key(0))
    assert params == arch.shapes()
    outputs = jax.eval_shape(arch.apply, params, *arch.inputs())
    assert outputs.shape[0] == 2 and outputs.dtype == jnp.float32
    for first, again, other in zip(arch.inputs(), arch.inputs(), arch.inputs(jax.random.key(1))):
        np.testing.assert_array_equal(first, again)
        assert np.any(first != other)


def test_init_starts_norms_at_one_and_biases_at_zero():
    params = resnet({**RESNET, "layer_type": "basic"}).init(jax.random.key(0))
    stem = "embedder.embedder.normalization"
    for part, value in (("weight", 1), ("running_var", 1), ("bias", 0), ("running_mean", 0)):
        assert np.all(params[f"{stem}.{part}"] == value)
    assert np.std(params["encoder.stages.1.layers.0.layer.1.convolution.weight"]) > 0


def test_halves_are_kept_and_normalised_in_single_precision():
    arch = llama(LLAMA)
    params = {name: jax.ShapeDtypeStruct(s.shape, jnp.bfloat16) for name, s in arch.shapes().items()}
    assert jax.eval_shape(arch.apply, params, *arch.inputs()).dtype == jnp.bfloat16
    assert "f32" in str(jax.make_jaxpr(arch.apply)(params, *arch.inputs()))


@pytest.mark.parametrize(
    "arch, inputs, message",
    [
        (bert(BERT), (np.zeros((1, 9), int),), "bert: tokens has length 9; this model has 8 positions"),
        (gpt2(GPT2), (np.zeros((1, 9), int),), "gpt2: tokens has length 9"),
        (gpt2(GPT2), (np.zeros((1, 4), int), np.zeros((1, 3), int)), "mask has shape"),
        (llama(LLAMA), (np.zeros(4, int),), "tokens has shape"),
        (vit(VIT), (np.zeros((1, 3, 8, 9)),), "images has shape"),
        (resnet(RESNET), (np.zeros((1, 4, 8, 8)),), "images has shape"),
    ],
    ids=["long", "long-gpt2", "mask", "one-text", "oblong", "channels"],
)
def test_inputs_of_wrong_shape_are_named(arch, inputs, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(arch.apply, arch.shapes(), *inputs)


def test_tokens_that_are_not_integers_are_an_error():
    with pytest.raises(TypeError, match="tokens has dtype float"):
        jax.eval_shape(gpt2(GPT2).apply, gpt2(GPT2).shapes(), np.zeros((1, 3)))


def test_tokens_that_the_table_lacks_give_nan():
    model = next(m for m in MODELS if m.name == "gpt2")
    tokens, *rest = model.inputs
    for token in (11, -1):
        outputs = np.asarray(model.compiled(model.params, tokens.at[0, 5].set(token), *rest))
        assert np.all(np.isnan(outputs[0, 5])) and np.all(np.isfinite(outputs[1]))
