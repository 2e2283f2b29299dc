"""from_config: an architecture from a Hugging Face config.json."""

import json
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from geojax._core.checks import described
from geojax.architectures.models.bert import bert
from geojax.architectures.models.gpt2 import gpt2
from geojax.architectures.models.llama import llama
from geojax.architectures.models.resnet import resnet
from geojax.architectures.models.vit import vit
from geojax.architectures.parts.architecture import Architecture

ARCHITECTURES: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {
    "bert": bert,
    "gpt2": gpt2,
    "llama": llama,
    "resnet": resnet,
    "vit": vit,
}


def from_config(config: Mapping[str, Any] | str | PathLike[str]) -> Architecture:
    """The architecture that a Hugging Face config.json describes.

    The field ``model_type`` says the family, the field ``architectures`` the class. The body alone ("BertModel")
    returns its last hidden states, the class with the usual head ("BertForMaskedLM") returns scores. Without the second
    field the model has the head.

    Args:
        config: The fields, the path of a config.json, or that of a folder that holds one.

    Returns:
        The `Architecture`; its ``shapes()`` are those of the tensors that a checkpoint must have.

    Raises:
        ValueError: If the model type is unknown, a field is missing or wrong, fields contradict each other, or the file
            is not a JSON object.
        TypeError: If config is neither a dict nor a path.
        OSError: If the file cannot be read.

    Differentiation: none; reads a description.
    Complexity: that of reading the file.

    Example:
        >>> import geojax as gj
        >>> sizes = {"vocab_size": 9, "n_positions": 5, "n_embd": 6, "n_layer": 1, "n_head": 2}
        >>> gj.architectures.from_config({"model_type": "gpt2", **sizes}).config.n_inner
        24

    References: [Wolf2020]
    """
    if not isinstance(config, Mapping | str | PathLike):
        raise TypeError(
            f"from_config: config is {described(config)}; expected the fields of a config.json as a dict, or its path."
        )
    fields = config if isinstance(config, Mapping) else _read(Path(config))
    kind = fields.get("model_type")
    if kind not in ARCHITECTURES:
        known = ", ".join(map(repr, ARCHITECTURES))
        raise ValueError(f"config: model_type is {kind!r}; there are architectures for {known}.")
    return ARCHITECTURES[kind](fields)


def _read(path: Path) -> Mapping[str, Any]:
    path = path / "config.json" if path.is_dir() else path
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError(
            f"{path} holds a {type(fields).__name__}; expected a JSON object, as config.json is."
        )
    return fields
