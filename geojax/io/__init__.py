"""Files: parameters to and from safetensors, orbax and flax; merging and aligning files tensor by tensor.

What needs more than JAX and numpy is loaded when it is first used, so that looking into a file is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from geojax.io.errors import CheckpointError
from geojax.io.names import flatten, unflatten
from geojax.io.safetensors import Checkpoint, load_safetensors, open_safetensors
from geojax.io.streaming import stream_merge
from geojax.io.writing import SafetensorsWriter, save_safetensors

if TYPE_CHECKING:
    from geojax.io.flax import load_flax, save_flax
    from geojax.io.orbax import load_orbax, save_orbax
    from geojax.io.stream_action import stream_act
    from geojax.io.stream_alignment import stream_align

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

_LATER = {
    "load_flax": "geojax.io.flax",
    "load_orbax": "geojax.io.orbax",
    "save_flax": "geojax.io.flax",
    "save_orbax": "geojax.io.orbax",
    "stream_act": "geojax.io.stream_action",
    "stream_align": "geojax.io.stream_alignment",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for the first time."""
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
