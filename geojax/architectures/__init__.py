"""Published architectures as plain JAX functions of their checkpoints' tensors."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.architectures.config import ARCHITECTURES, from_config
    from geojax.architectures.models.bert import BertConfig, bert
    from geojax.architectures.models.gpt2 import Gpt2Config, gpt2
    from geojax.architectures.models.llama import LlamaConfig, llama
    from geojax.architectures.models.resnet import ResnetConfig, resnet
    from geojax.architectures.models.vit import VitConfig, vit
    from geojax.architectures.parts.architecture import Architecture, TensorNames

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

_DEFINED_IN = {
    "ARCHITECTURES": "geojax.architectures.config",
    "Architecture": "geojax.architectures.parts.architecture",
    "BertConfig": "geojax.architectures.models.bert",
    "Gpt2Config": "geojax.architectures.models.gpt2",
    "LlamaConfig": "geojax.architectures.models.llama",
    "ResnetConfig": "geojax.architectures.models.resnet",
    "TensorNames": "geojax.architectures.parts.architecture",
    "VitConfig": "geojax.architectures.models.vit",
    "bert": "geojax.architectures.models.bert",
    "from_config": "geojax.architectures.config",
    "gpt2": "geojax.architectures.models.gpt2",
    "llama": "geojax.architectures.models.llama",
    "resnet": "geojax.architectures.models.resnet",
    "vit": "geojax.architectures.models.vit",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
