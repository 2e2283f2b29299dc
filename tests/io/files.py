"""Files for the tests: tensors of every dtype, and files with any header one likes."""

import hashlib
import json
import struct

import numpy as np

from geojax.io.formats.header import DTYPES


def every_dtype(seed=0):
    """A tensor of each dtype of the format from random bytes, so NaN payloads too, with scalars and empty ones."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for number, (name, dtype) in enumerate(DTYPES.items()):
        shape = [(3, 4), (5,), (), (2, 0, 3)][number % 4]
        raw = rng.integers(0, 2 if name == "BOOL" else 256, int(np.prod(shape)) * dtype.itemsize, np.uint8)
        tensors[f"layer.{number}.{name}"] = raw.view(dtype).reshape(shape)
    return tensors


def same_bits(x, y):
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


def put(path, header, data=b"", length=None):
    """Writes a file with this header: an object, or text as it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
