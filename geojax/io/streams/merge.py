"""Merging files tensor by tensor; the memory needed does not grow with the files."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from geojax._core import checks
from geojax._core.tree import is_array
from geojax.io.formats.errors import CheckpointError, listed
from geojax.io.formats.finite import count_nonfinite
from geojax.io.formats.names import mismatches
from geojax.io.formats.safetensors import Checkpoint, open_safetensors
from geojax.io.formats.writing import SafetensorsWriter
from geojax.typing import Key

__all__ = ["stream_merge"]

PIECE = 2**21
"""Largest number of entries that an elementwise merge processes at once."""

SMALLEST = 2**10
"""Smallest number: shorter pieces are padded with zeros, so that few programs are compiled."""

ALIGNMENT = 64
"""Alignment in bytes of memory that JAX can use without copying."""

Path = str | os.PathLike[str]


def stream_merge(
    merge: Callable[..., Any],
    paths: Sequence[Path],
    out: Path,
    *,
    elementwise: bool = False,
    key: Key | None = None,
    dtype: Any = None,
    integers_from_first: bool = False,
    allow_nonfinite: bool = False,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Merges files of tensors into one, tensor by tensor.

    Every tensor of the output is  merge(tensor of the first file, tensor of the second, ...).  Rules for whole models
    can be used if they treat each leaf separately, because one array is a tree with one leaf:

        lambda a, b: slerp(a, b, 0.5)
        lambda *models: average(models, weights)
        lambda base, *tuned: ties(base, tuned, weights, density=0.2)
        lambda base, *tuned, key: dare(base, tuned, weights, density=0.1, key=key)
        lambda a, b, fisher_a, fisher_b: fisher_average([a, b], [fisher_a, fisher_b])

    Half precision (and shorter types) is merged in float32 and rounded once at the end; float64 is merged in float64,
    also if 64-bit types are disabled. Integers and booleans (positions, masks, counters) are not merged: they must be
    equal in all files.

    Args:
        merge: Called with one array from each file, and with ``key=`` if a key is given; returns one array of the same
            shape. Traceable by JAX; compiled once for each shape.
        paths: The files, each as for `open_safetensors`. All must have the same tensors.
        out: The file to write; not one of the files that are read.
        elementwise: Whether each entry of the result depends only on the same entry of each tensor. If so, tensors are
            merged in pieces, as arrays with one axis, and the memory needed does not grow with the largest tensor.
        key: Random key, from which each tensor or piece gets a key of its own.
        dtype: The dtype of all merged tensors; the files may then have different dtypes. If None, each tensor keeps its
            dtype, which must be the same in all files.
        integers_from_first: Whether to take integers and booleans that differ from the first file.
        allow_nonfinite: Whether to merge tensors with NaN or infinities, and to write such results.
        metadata: Texts about the output; if None, those of the first file.
        progress: Called with the number of bytes written so far and the total.

    Returns:
        None; ``out`` appears when it is complete. If merging fails, an existing file at ``out`` is not changed.

    Raises:
        CheckpointError: If a file is broken, the files differ in tensors, shapes or dtypes, integers differ, a number
            is not finite, or the disk is full.
        ValueError: If there is no file, or merge returns an array of another shape.
        TypeError: If paths is a single path, or merge returns anything but one array.

    Differentiation: none; it writes.
    Complexity: each byte is read, merged and written once. Memory: a piece of each file if elementwise; otherwise the
        largest tensor of each file, and what merge needs for them.

    Example:
        >>> import os, tempfile, numpy as np
        >>> from geojax.io import load_safetensors, save_safetensors, stream_merge
        >>> from geojax.merging import interpolate
        >>> folder = tempfile.mkdtemp()
        >>> a, b, out = (os.path.join(folder, name) for name in ("a", "b", "out"))
        >>> save_safetensors(a, {"w": np.zeros(2, np.float16)})
        >>> save_safetensors(b, {"w": np.ones(2, np.float16)})
        >>> stream_merge(lambda x, y: interpolate(x, y, 0.25), [a, b], out, elementwise=True)
        >>> load_safetensors(out)["w"]
        Array([0.25, 0.25], dtype=float16)

    References: none; a loop over files.
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError(
            f"stream_merge: paths is {os.fspath(paths)!r}; expected a list of files. Pass [path] to read one."
        )
    if not paths:
        raise ValueError("stream_merge: paths is empty; expected at least one file.")
    if key is not None:
        checks.typed_key("stream_merge", key)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_safetensors(path)) for path in paths]
        shapes = _output_shapes(files, None if dtype is None else np.dtype(dtype))
        inputs = [path for file in files for path in (file.path, *file.files)]
        texts = files[0].metadata if metadata is None else metadata
        writer = stack.enter_context(SafetensorsWriter(out, shapes, metadata=texts, inputs=inputs))
        run = _compiled(merge, key is not None)
        total = sum(_bytes(like) for like in shapes.values())
        done = 0
        for number, name in enumerate(writer.names):
            like = shapes[name]
            if _is_mixed(like.dtype):
                own = None if key is None else jax.random.fold_in(key, number)
                pieces = _merged(run, files, name, like, own, elementwise, allow_nonfinite)
            else:
                pieces = _kept(files, name, integers_from_first)
            for piece in pieces:
                writer.write(name, piece)
                done += piece.nbytes
                if progress is not None:
                    progress(done, total)


def _output_shapes(files: Sequence[Checkpoint], dtype: np.dtype | None) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and dtypes of the output's tensors, in the first file's order.

    Raises:
        CheckpointError: If a file differs from the first; the message names all differences.
    """
    first = files[0].shapes
    for file in files[1:]:
        shapes = file.shapes
        lines = mismatches(_comparable(shapes, dtype), _comparable(first, dtype))
        if lines:
            hint = " Pass dtype= to cast them." if dtype is None else ""
            raise CheckpointError(
                file.path, f"it does not fit {files[0].path}:{listed(lines)}\nMerge files of one model.{hint}"
            )
    return _comparable(first, dtype)


def _comparable(
    shapes: Mapping[str, jax.ShapeDtypeStruct], dtype: np.dtype | None
) -> dict[str, jax.ShapeDtypeStruct]:
    return {
        name: jax.ShapeDtypeStruct(like.shape, dtype) if dtype is not None and _is_mixed(like.dtype) else like
        for name, like in shapes.items()
    }


def _compiled(merge: Callable[..., Any], keyed: bool) -> Callable[..., Any]:
    """The merge under jit: arrays are widened before it, and its result is rounded to the dtype of the output."""

    def widened(dtype: np.dtype, key: Key | None, *tensors: Any) -> Any:
        mixed = [tensor.astype(wide(tensor.dtype)) for tensor in tensors]
        result = merge(*mixed, key=key) if keyed else merge(*mixed)
        if not is_array(result):
            raise TypeError(
                f"stream_merge: merge returned a {type(result).__name__}; expected one array. Take the part of a "
                "result that holds the parameters, as in `lambda *m: karcher(m, w).params`."
            )
        if result.shape != tensors[0].shape:
            raise ValueError(
                f"stream_merge: merge made shape {list(result.shape)} of tensors of shape {list(tensors[0].shape)}; "
                "expected their shape. Does it want the tensors as one list, as in `lambda *m: average(m)`?"
            )
        if jnp.iscomplexobj(result) and not jnp.issubdtype(dtype, jnp.complexfloating):
            raise TypeError(
                f"stream_merge: merge made {result.dtype}, to be written as {dtype}; expected real numbers."
            )
        return result.astype(dtype)

    return jax.jit(widened, static_argnums=0)


def _merged(
    run: Callable[..., Any],
    files: Sequence[Checkpoint],
    name: str,
    like: jax.ShapeDtypeStruct,
    key: Key | None,
    elementwise: bool,
    allow_nonfinite: bool,
) -> Iterator[np.ndarray]:
    """The merged tensor, whole, or in pieces with one axis."""
    size = like.size
    step = PIECE if elementwise else max(size, 1)
    for number, start in enumerate(range(0, size, step)):
        count = min(step, size - start)
        length = max(SMALLEST, 1 << (count - 1).bit_length()) if elementwise else count
        buffers = []
        for file in files:
            buffer = _aligned(length, file.shapes[name].dtype)
            file.read(name, start, buffer[:count])
            buffer[count:] = 0
            if not allow_nonfinite:
                _check_finite(file.path, name, buffer[:count])
            buffers.append(buffer if elementwise else buffer.reshape(like.shape))
        own = None if key is None else jax.random.fold_in(key, number)
        wide = any(buffer.dtype.itemsize > 4 and buffer.dtype != np.complex64 for buffer in buffers)
        with jax.enable_x64(True) if wide or like.dtype == np.float64 else contextlib.nullcontext():
            result = np.asarray(run(like.dtype, own, *map(jax.device_put, buffers)))
        result = result[:count] if elementwise else result
        if not allow_nonfinite:
            _check_finite("the result of merge", name, result)
        yield result


def _kept(files: Sequence[Checkpoint], name: str, from_first: bool) -> Iterator[np.ndarray]:
    """The tensor of the first file, in pieces, after a comparison with the other files."""
    like = files[0].shapes[name]
    for start in range(0, like.size, PIECE):
        pieces = []
        for file in files[: 1 if from_first else None]:
            piece = np.empty(min(PIECE, like.size - start), like.dtype)
            pieces.append(file.read(name, start, piece))
        for file, piece in zip(files[1:], pieces[1:]):
            if not np.array_equal(piece, pieces[0]):
                reason = (
                    f"its {like.dtype} numbers are not those of {files[0].path}, and integers cannot be mixed. "
                    "Pass integers_from_first=True to take those of the first file."
                )
                raise CheckpointError(file.path, reason, tensor=name)
        yield pieces[0]


def _check_finite(path: str, name: str, array: np.ndarray) -> None:
    count = count_nonfinite(array)
    if count:
        reason = (
            f"{count} of its numbers are NaN or infinite. Pass allow_nonfinite=True to merge them anyway."
        )
        raise CheckpointError(path, reason, tensor=name)


def _aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """An uninitialised array with one axis whose memory JAX can use without copying."""
    raw = np.empty(size * dtype.itemsize + ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % ALIGNMENT
    return raw[begin : begin + size * dtype.itemsize].view(dtype)


def wide(dtype: Any) -> Any:
    """The dtype to merge numbers of ``dtype`` in: at least single precision."""
    short = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32
    return jnp.dtype(jnp.float32) if short else dtype


def _is_mixed(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.inexact)


def _bytes(like: jax.ShapeDtypeStruct) -> int:
    return like.size * like.dtype.itemsize
