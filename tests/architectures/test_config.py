"""Reading configurations and checkpoints: what is found, and what is said where something is wrong."""

import json

import numpy as np
import pytest

from geojax.architectures import ARCHITECTURES, bert, from_config, gpt2, llama, resnet, vit
from tests.architectures.models import BERT, GPT2, LLAMA, LLAMA3, RESNET, VIT

BUILDERS = {"bert": bert, "gpt2": gpt2, "llama": llama, "resnet": resnet, "vit": vit}
FIELDS = {"bert": BERT, "gpt2": GPT2, "llama": LLAMA, "resnet": RESNET, "vit": VIT}


def file_of(arch, prefix="", rename=lambda name: name):
    """A checkpoint of the architecture, its body under a prefix, as the library writes them."""
    heads = ("cls.", "lm_head.", "classifier.")
    spelled = lambda name: rename(name if name.startswith(heads) else prefix + name)
    return {spelled(name): np.zeros(s.shape, np.float32) for name, s in arch.shapes().items()}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_config_is_read_from_mapping_file_and_folder(kind, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(FIELDS[kind]))
    arch = BUILDERS[kind](FIELDS[kind])
    for source in (FIELDS[kind], tmp_path, tmp_path / "config.json", str(tmp_path)):
        assert from_config(source) == arch
    assert arch.name == kind and hash(arch) == hash(from_config(FIELDS[kind]))


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("prefixed", [True, False])
def test_checkpoint_is_found_with_and_without_prefix(kind, prefixed):
    arch = from_config(FIELDS[kind])
    file = file_of(arch, arch.prefix if prefixed else "")
    assert {name: leaf.shape for name, leaf in arch.select(file).items()} == {
        name: s.shape for name, s in arch.shapes().items()
    }
    assert not arch.match(file).unread


def test_early_names_of_norms_are_known():
    arch = bert(BERT)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    file = file_of(
        arch, "bert.", lambda name: next((name.replace(k, v) for k, v in old.items() if k in name), name)
    )
    assert "bert.embeddings.LayerNorm.gamma" in file
    assert arch.match(file).read["embeddings.LayerNorm.weight"] == "bert.embeddings.LayerNorm.gamma"


def test_copies_and_unread_tensors_are_told_apart():
    arch = gpt2(GPT2)
    file = {
        **file_of(arch, "transformer."),
        "lm_head.weight": np.zeros((11, 12)),
        "transformer.h.0.attn.bias": 0,
    }
    names = arch.match(file)
    assert names.copies == {"lm_head.weight": "wte.weight"}
    assert names.unread == ("transformer.h.0.attn.bias",)
    untied = gpt2({**GPT2, "tie_word_embeddings": False}).match(file)
    assert not untied.copies and untied.read["lm_head.weight"] == "lm_head.weight"


def test_counters_and_poolers_are_unread():
    file = file_of(resnet(RESNET), "resnet.")
    counter = "resnet.embedder.embedder.normalization.num_batches_tracked"
    assert resnet(RESNET).match([*file, counter]).unread == (counter,)
    body = {**VIT, "architectures": ["ViTModel"]}
    assert vit(body).match([*file_of(vit(body)), "pooler.dense.weight"]).unread == ("pooler.dense.weight",)
    assert vit(body).match(file_of(vit(VIT), "vit.")).unread == ("classifier.weight", "classifier.bias")


def test_wrong_checkpoints_are_named():
    arch = gpt2(GPT2)
    file = file_of(arch)
    with pytest.raises(ValueError, match=r"lacks 1 of 28 tensors: wte\.weight"):
        arch.match(set(file) - {"wte.weight"})
    with pytest.raises(ValueError, match=r"twice, as 'wte\.weight' and 'transformer\.wte\.weight'"):
        arch.match([*file, "transformer.wte.weight"])
    with pytest.raises(
        ValueError, match=r"wpe\.weight is float64\[9, 12\], expected an array of shape \(8, 12\)"
    ):
        arch.select({**file, "wpe.weight": np.zeros((9, 12))})
    with pytest.raises(ValueError, match=r"ln_f\.bias is missing"):
        arch.apply({name: leaf for name, leaf in file.items() if name != "ln_f.bias"}, *arch.inputs())


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"model_type": "t5"}, "model_type is 't5'; there are architectures for 'bert', 'gpt2'"),
        ({}, "model_type is None"),
        ({**BERT, "hidden_size": None}, "bert config: hidden_size is missing"),
        (
            {**BERT, "num_attention_heads": 5},
            "hidden_size is 12, which is not a multiple of num_attention_heads = 5",
        ),
        ({**BERT, "hidden_act": "snake"}, "hidden_act is 'snake'; this architecture has 'gelu'"),
        ({**BERT, "architectures": ["BertForTokenClassification"]}, "there are functions for"),
        ({**BERT, "position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({**BERT, "is_decoder": True}, "is_decoder is true"),
        ({**BERT, "num_hidden_layers": 0}, "num_hidden_layers is 0; expected a positive integer"),
        ({**BERT, "layer_norm_eps": -1.0}, "layer_norm_eps is -1.0; expected a positive number"),
        ({**GPT2, "n_layer": "2"}, "n_layer is '2'; expected a positive integer"),
        ({**GPT2, "tie_word_embeddings": 1}, "tie_word_embeddings is 1; expected true or false"),
        ({**GPT2, "add_cross_attention": True}, "add_cross_attention is true"),
        ({**LLAMA, "num_key_value_heads": 3}, "num_attention_heads is 4, which is not a multiple of"),
        ({**LLAMA, "head_dim": 5}, "head_dim is 5, which is not a multiple of 2"),
        ({**LLAMA, "rope_scaling": {"type": "yarn", "factor": 2.0}}, "rope_type is 'yarn'"),
        ({**LLAMA, "rope_scaling": {"type": "linear"}}, "rotary positions: factor is missing"),
        ({**LLAMA, "rope_parameters": {**LLAMA3, "low_freq_factor": 9.0}}, "low_freq_factor is 9.0"),
        ({**LLAMA, "rope_scaling": 2.0}, "rope_scaling is 2.0; expected a mapping"),
        ({**VIT, "patch_size": 3}, "image_size is 8, which is not a multiple of patch_size = 3"),
        ({**VIT, "id2label": {"0": "cat"}}, "num_labels is 5, but id2label names 1 classes"),
        ({**RESNET, "depths": [1]}, "hidden_sizes has 2 stages and depths has 1"),
        ({**RESNET, "hidden_sizes": 8}, "hidden_sizes is 8; expected a list"),
        ({**RESNET, "hidden_sizes": [2, 8]}, "a bottleneck needs 4 channels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_configs_are_named(fields, message):
    with pytest.raises(ValueError) as error:
        from_config(fields)
    assert message in str(error.value)


@pytest.mark.parametrize("text, message", [("{", "is not JSON"), ("[1]", "holds a list")])
def test_files_that_are_no_configs_are_named(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        from_config(tmp_path)


def test_old_and_new_fields_of_rotary_positions_mean_the_same():
    old = {"rope_theta": 500.0, "rope_scaling": {**LLAMA3, "type": "llama3"}}
    del old["rope_scaling"]["rope_type"], old["rope_scaling"]["rope_theta"]
    new = {"rope_parameters": LLAMA3}
    assert llama({**LLAMA, **old}).config == llama({**LLAMA, **new}).config
    plain, slow = (llama({**LLAMA, **more}).config.frequencies for more in ({}, {"rope_scaling": LINEAR}))
    np.testing.assert_allclose(np.array(plain) / 4, slow)


LINEAR = {"type": "linear", "factor": 4.0}
