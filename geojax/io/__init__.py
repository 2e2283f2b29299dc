"""Files: parameters to and from safetensors, orbax and flax; merging and aligning files tensor by tensor."""

from geojax.io.errors import CheckpointError
from geojax.io.names import flatten, unflatten
from geojax.io.safetensors import Checkpoint, load_safetensors, open_safetensors
from geojax.io.stream_action import stream_act
from geojax.io.stream_alignment import stream_align
from geojax.io.streaming import stream_merge
from geojax.io.writing import SafetensorsWriter, save_safetensors

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "SafetensorsWriter",
    "flatten",
    "load_safetensors",
    "open_safetensors",
    "save_safetensors",
    "stream_act",
    "stream_align",
    "stream_merge",
    "unflatten",
]
