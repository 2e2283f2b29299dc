"""Headers of safetensors files: which bytes of the file are which tensor.

A file is the length of the header as eight bytes, the header in JSON, and the tensors' bytes one after another. A
header is believed only as a whole: each tensor's bytes are as many as its shape and dtype say, and together they are
every byte of the file, once.
"""

import json
import math
import os
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from geojax.io.formats.errors import CheckpointError, shown

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "U16": np.dtype(np.uint16),
    "I16": np.dtype(np.int16),
    "U32": np.dtype(np.uint32),
    "I32": np.dtype(np.int32),
    "U64": np.dtype(np.uint64),
    "I64": np.dtype(np.int64),
    "F8_E4M3": np.dtype(jnp.float8_e4m3fn),
    "F8_E5M2": np.dtype(jnp.float8_e5m2),
    "F8_E8M0": np.dtype(jnp.float8_e8m0fnu),
    "F8_E4M3FNUZ": np.dtype(jnp.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(jnp.float8_e5m2fnuz),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "C64": np.dtype(np.complex64),
}
"""The format's names of dtypes. Those of less than a byte (F4, F6) are no dtypes of arrays."""

NAMES = {dtype: name for name, dtype in DTYPES.items()}

MAX_HEADER = 100_000_000
"""Longest header to read, in bytes, as the format has it."""

MAX_RANK = 64
"""Most axes of an array in numpy."""

MAX_BYTES = 2**63 - 1
"""Largest size of an array, its axes of length 0 not counted."""

LENGTH = struct.Struct("<Q")

METADATA = "__metadata__"


class Extent(NamedTuple):
    """One tensor of a file: its dtype and shape, and its bytes [start, stop) of the file."""

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


class Header(NamedTuple):
    """What a file says of itself: its tensors in the order of their bytes, and words about it."""

    extents: dict[str, Extent]
    metadata: dict[str, str]


def read_header(path: str, descriptor: int) -> Header:
    """Reads and checks the header of an open file.

    Raises:
        CheckpointError: If any part of it is not as it should be.
    """
    size = os.fstat(descriptor).st_size
    if size < LENGTH.size:
        raise CheckpointError(
            path, f"the file has {size} bytes; expected at least {LENGTH.size}, the length of the header"
        )
    (length,) = LENGTH.unpack(_bytes(path, descriptor, 0, LENGTH.size))
    begin = LENGTH.size + length
    if length > MAX_HEADER:
        raise CheckpointError(
            path,
            f"the header claims to be {length} bytes long; expected at most {MAX_HEADER}. "
            "This may not be a safetensors file.",
            extent=(0, LENGTH.size),
        )
    if begin > size:
        raise CheckpointError(
            path,
            f"the header claims to be {length} bytes long, and the file has {size}. It is cut off, or not "
            "a safetensors file.",
            extent=(0, LENGTH.size),
        )
    return parse_header(path, _bytes(path, descriptor, LENGTH.size, length), size)


def parse_header(path: str, text: bytes, size: int) -> Header:
    """Reads and checks the text of a header in a file of ``size`` bytes.

    Raises:
        CheckpointError: If any part of it is not as it should be.
    """
    begin = LENGTH.size + len(text)
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = f"the header is not JSON as the format has it: {error}"
        raise CheckpointError(path, reason, extent=(LENGTH.size, begin)) from error
    if not isinstance(found, dict):
        raise CheckpointError(
            path,
            f"the header is a JSON {type(found).__name__}; expected an object of tensors",
            extent=(LENGTH.size, begin),
        )
    metadata = _metadata(path, found.pop(METADATA, {}))
    extents = {name: _extent(path, name, item, begin, size) for name, item in found.items()}
    ordered = dict(sorted(extents.items(), key=lambda item: (item[1].start, item[1].stop)))
    end, before = begin, "the header"
    for name, extent in ordered.items():
        if extent.start != end:
            what = "overlap with" if extent.start < end else f"leave {extent.start - end} bytes after"
            reason = f"its bytes {what} those of {before}"
            raise CheckpointError(path, reason, tensor=name, extent=(extent.start, extent.stop))
        end, before = extent.stop, shown(name)
    if end != size:
        raise CheckpointError(
            path, f"no tensor has the last {size - end} bytes of the file", extent=(end, size)
        )
    return Header(ordered, metadata)


def format_header(
    path: str, shapes: Mapping[str, Any], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, Extent]]:
    """The beginning of a file with tensors of these shapes and dtypes, up to the first tensor's bytes.

    Tensors lie in the given order, wider dtypes first, so that each is aligned as its dtype wants.

    Raises:
        CheckpointError: If a name or dtype has no place in the format.
    """
    extents, end = {}, 0
    for name, like in sorted(shapes.items(), key=lambda item: -np.dtype(item[1].dtype).itemsize):
        dtype = np.dtype(like.dtype)
        if dtype not in NAMES:
            raise CheckpointError(
                path,
                f"dtype {dtype} has no name in the format; expected one of {', '.join(map(str, NAMES))}. Cast it.",
                tensor=name,
            )
        if name == METADATA or not _is_text(name):
            raise CheckpointError(path, f"no tensor can have the name {shown(name)}. Rename it.")
        size = math.prod(like.shape) * dtype.itemsize
        extents[name] = Extent(dtype, tuple(like.shape), end, end + size)
        end += size
    if not all(_is_text(word) for pair in metadata.items() for word in pair):
        raise CheckpointError(path, "metadata has an item that is not text; expected {str: str}. Use str().")
    content: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    for name, extent in extents.items():
        content[name] = {
            "dtype": NAMES[extent.dtype],
            "shape": list(extent.shape),
            "data_offsets": [extent.start, extent.stop],
        }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise CheckpointError(
            path, f"the header would be {len(text)} bytes long; the format allows {MAX_HEADER}"
        )
    begin = LENGTH.size + len(text)
    placed = {
        name: extent._replace(start=begin + extent.start, stop=begin + extent.stop)
        for name, extent in extents.items()
    }
    return LENGTH.pack(len(text)) + text, placed


def _extent(path: str, name: str, item: Any, begin: int, size: int) -> Extent:
    """Where one tensor is, from its item of the header."""

    def wrong(reason: str) -> CheckpointError:
        return CheckpointError(path, reason, tensor=name)

    if not _is_text(name):
        raise wrong("its name is not text")
    if not isinstance(item, dict) or set(item) != {"dtype", "shape", "data_offsets"}:
        got = f"the keys {sorted(item)}" if isinstance(item, dict) else f"a {type(item).__name__}"
        raise wrong(f"the header has {got:.200}; expected dtype, shape and data_offsets")
    dtype = DTYPES.get(item["dtype"]) if isinstance(item["dtype"], str) else None
    if dtype is None:
        raise wrong(f"dtype {item['dtype']!r:.80} is unknown; expected one of {', '.join(DTYPES)}")
    shape, offsets = item["shape"], item["data_offsets"]
    if not _are_sizes(shape) or len(shape) > MAX_RANK:
        raise wrong(f"shape is {shape!r:.200}; expected at most {MAX_RANK} integers of at least 0")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise wrong(f"data_offsets is {offsets!r:.200}; expected two integers in order, the first at least 0")
    start, stop = begin + offsets[0], begin + offsets[1]
    if stop > size:
        reason = f"the file ends at byte {size}; it is cut off, or the header lies"
        raise CheckpointError(path, reason, tensor=name, extent=(start, stop))
    nonzero = math.prod(length or 1 for length in shape) * dtype.itemsize
    if nonzero > MAX_BYTES:
        raise wrong(f"shape {shape!r:.200} of {dtype} is larger than any array")
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != stop - start:
        reason = f"shape {shape!r:.200} of {dtype} takes {wanted} bytes, and these are {stop - start}"
        raise CheckpointError(path, reason, tensor=name, extent=(start, stop))
    return Extent(dtype, tuple(shape), start, stop)


def _metadata(path: str, found: Any) -> dict[str, str]:
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise CheckpointError(path, f"{METADATA} of the header is not an object of texts")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the name {shown(twice)} is there twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(x) is int and 0 <= x <= MAX_BYTES for x in value)


def _is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can spell."""
    try:
        return isinstance(value, str) and value.encode("utf-8") is not None
    except UnicodeEncodeError:
        return False


def _bytes(path: str, descriptor: int, start: int, count: int) -> bytes:
    found = os.pread(descriptor, count, start)
    if len(found) != count:
        raise CheckpointError(
            path, "the file became shorter while it was read", extent=(start, start + count)
        )
    return found
