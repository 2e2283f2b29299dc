"""Headers of safetensors files: which bytes of the file belong to which tensor.

A file consists of the length of the header in eight bytes, the header in JSON, and the bytes of the tensors. A header
is accepted only if all of it is consistent: each tensor has as many bytes as its shape and dtype need, and together the
tensors cover every byte of the file exactly once.
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
"""The format's names of dtypes. Types of less than a byte (F4, F6) have no numpy dtype and are left out."""

NAMES = {dtype: name for name, dtype in DTYPES.items()}

MAX_HEADER = 100_000_000
"""Longest header that the format allows, in bytes."""

MAX_RANK = 64
"""Largest number of axes of a numpy array."""

MAX_BYTES = 2**63 - 1
"""Largest size of an array in bytes, not counting axes of length 0."""

LENGTH = struct.Struct("<Q")

METADATA = "__metadata__"


class Extent(NamedTuple):
    """One tensor of a file: its dtype and shape, and its bytes [start, stop) of the file."""

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


class Header(NamedTuple):
    """The contents of a header: the tensors in the order of their bytes, and the file's metadata."""

    extents: dict[str, Extent]
    metadata: dict[str, str]


def read_header(path: str, descriptor: int) -> Header:
    """Reads and checks the header of an open file.

    Raises:
        CheckpointError: If any part of it is wrong.
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
        CheckpointError: If any part of it is wrong.
    """
    begin = LENGTH.size + len(text)
    try:
        content = json.loads(text.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = f"the header is not JSON as the format has it: {error}"
        raise CheckpointError(path, reason, extent=(LENGTH.size, begin)) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            path,
            f"the header is a JSON {type(content).__name__}; expected an object of tensors",
            extent=(LENGTH.size, begin),
        )
    metadata = _metadata(path, content.pop(METADATA, {}))
    extents = {name: _extent(path, name, item, begin, size) for name, item in content.items()}
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
    """The header of a file with tensors of these shapes and dtypes, as bytes, and where each tensor will be.

    Tensors are ordered by the width of their dtypes, widest first, and otherwise as given; so each is aligned.

    Raises:
        CheckpointError: If the format does not allow a name or a dtype.
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
    """Dtype, shape and bytes of one tensor, from its entry in the header."""

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


def _metadata(path: str, value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise CheckpointError(path, f"{METADATA} of the header is not an object of texts")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the name {shown(twice)} is there twice")
    return content


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(x) is int and 0 <= x <= MAX_BYTES for x in value)


def _is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can encode."""
    try:
        return isinstance(value, str) and value.encode("utf-8") is not None
    except UnicodeEncodeError:
        return False


def _bytes(path: str, descriptor: int, start: int, count: int) -> bytes:
    data = os.pread(descriptor, count, start)
    if len(data) != count:
        raise CheckpointError(
            path, "the file became shorter while it was read", extent=(start, start + count)
        )
    return data
