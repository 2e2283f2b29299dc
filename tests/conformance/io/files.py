"""Cases of files: what reads and writes runs on the host, so only what its docstring promises is checked here."""

from geojax import io
from tests.conformance.case import Case, exempt_all

HOST = [
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

CASES = [
    Case(
        name,
        getattr(io, name),
        lambda key, dtype: (),
        exemptions=exempt_all("reads or writes files on the host"),
    )
    for name in HOST
]

DATA = {
    "Checkpoint": "what open_safetensors returns",
    "CheckpointError": "an exception of the host",
    "SafetensorsWriter": "a file that is being written",
}
