"""Published architectures as plain JAX functions of their checkpoints' tensors."""

from geojax.architectures.architecture import Architecture, TensorNames
from geojax.architectures.bert import BertConfig, bert
from geojax.architectures.config import ARCHITECTURES, from_config
from geojax.architectures.gpt2 import Gpt2Config, gpt2
from geojax.architectures.llama import LlamaConfig, llama
from geojax.architectures.resnet import ResnetConfig, resnet
from geojax.architectures.vit import VitConfig, vit

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "BertConfig",
    "Gpt2Config",
    "LlamaConfig",
    "ResnetConfig",
    "TensorNames",
    "VitConfig",
    "bert",
    "from_config",
    "gpt2",
    "llama",
    "resnet",
    "vit",
]


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
