"""Files: reading and writing safetensors, orbax and flax; merging and aligning files tensor by tensor.

Modules that need more than JAX and numpy are loaded when they are first used, so that opening a file is quick.
"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.io.formats.errors import CheckpointError
    from geojax.io.formats.flax import load_flax, save_flax
    from geojax.io.formats.names import flatten, unflatten
    from geojax.io.formats.orbax import load_orbax, save_orbax
    from geojax.io.formats.safetensors import Checkpoint, load_safetensors, open_safetensors
    from geojax.io.formats.writing import SafetensorsWriter, save_safetensors
    from geojax.io.streams.act import stream_act
    from geojax.io.streams.align import stream_align
    from geojax.io.streams.merge import stream_merge

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "SafetensorsWriter",
    "flatten",
    "load_flax",
    "load_orbax",
    "load_safetensors",
    "open_safetensors",
    "save_flax",
    "save_orbax",
    "save_safetensors",
    "stream_act",
    "stream_align",
    "stream_merge",
    "unflatten",
]

_DEFINED_IN = {
    "Checkpoint": "geojax.io.formats.safetensors",
    "CheckpointError": "geojax.io.formats.errors",
    "SafetensorsWriter": "geojax.io.formats.writing",
    "flatten": "geojax.io.formats.names",
    "load_flax": "geojax.io.formats.flax",
    "load_orbax": "geojax.io.formats.orbax",
    "load_safetensors": "geojax.io.formats.safetensors",
    "open_safetensors": "geojax.io.formats.safetensors",
    "save_flax": "geojax.io.formats.flax",
    "save_orbax": "geojax.io.formats.orbax",
    "save_safetensors": "geojax.io.formats.writing",
    "stream_act": "geojax.io.streams.act",
    "stream_align": "geojax.io.streams.align",
    "stream_merge": "geojax.io.streams.merge",
    "unflatten": "geojax.io.formats.names",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
