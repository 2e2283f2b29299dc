"""Moving the parameters in a file by a group element, leaf by leaf."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax.io.formats.safetensors import open_safetensors
from geojax.io.formats.writing import SafetensorsWriter
from geojax.io.streams.leaf_file import LeafFile, groups_of, leaf_file, moved, precision
from geojax.io.streams.merge import PIECE, Path, wide
from geojax.symmetry.action.elements import check_element
from geojax.symmetry.action.spec import SymmetrySpec

__all__ = ["stream_act"]


def stream_act(
    spec: SymmetrySpec,
    element: Mapping[str, Array],
    path: Path,
    out: Path,
    *,
    names: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Moves the parameters in a file by a group element: `geojax.symmetry.act`, one leaf at a time.

    Half precision is moved in float32 and rounded once, so a permutation changes no bit. float64 is moved in float64,
    also if 64-bit types are disabled.

    Args:
        spec: The symmetry of the function, from `geojax.symmetry.infer`.
        element: {group name: array}; an absent group acts as the identity.
        path: The file to read, as for `open_safetensors`.
        out: The file to write; not the same file.
        names: {tensor in the file: path of its leaf}. Tensors that are not in it are copied unchanged. If None, each
            tensor has the name of its leaf, and there are no other tensors.
        metadata: Texts about the output; if None, those of the file.
        progress: Called with the number of bytes written so far and the total.

    Returns:
        None; ``out`` appears when it is complete.

    Raises:
        CheckpointError: If the file is broken or does not fit the spec, or the disk is full.
        ValueError: If element has an unknown group or an array of the wrong shape.

    Differentiation: none; it writes.
    Complexity: each byte is read and written once. Memory: one leaf, and what is needed to move it.

    Example:
        >>> import os, tempfile, jax.numpy as jnp
        >>> from geojax.io import flatten, load_safetensors, save_safetensors, stream_act
        >>> from geojax.symmetry import infer
        >>> params = [jnp.eye(3), jnp.ones((3, 2))]
        >>> spec = infer(lambda p, x: jnp.tanh(x @ p[0]) @ p[1], params, jnp.ones((5, 3)))
        >>> source, target = (os.path.join(tempfile.mkdtemp(), "model") for _ in range(2))
        >>> save_safetensors(source, flatten(params))
        >>> stream_act(spec, {"0": jnp.array([2, 0, 1])}, source, target)
        >>> load_safetensors(target)["0"].astype(int).tolist()
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]]

    References: [Ainsworth2022]
    """
    check_element(spec, element)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open_safetensors(path))
        source = leaf_file("stream_act", spec, file, names)
        texts = file.metadata if metadata is None else metadata
        shapes = {name: _moved_shape(source, name, element) for name in file}
        writer = stack.enter_context(
            SafetensorsWriter(out, shapes, metadata=texts, inputs=(file.path, *file.files))
        )
        touched = {leaf.path for leaf in spec.leaves if groups_of(leaf) & set(element)}
        total = sum(like.size * like.dtype.itemsize for like in shapes.values())
        done = 0
        for name in writer.names:
            whole = source.names.get(name) in touched
            for piece in [_moved_leaf(source, name, element)] if whole else _copied(source, name):
                writer.write(name, piece)
                done += piece.nbytes
                if progress is not None:
                    progress(done, total)


def _moved_shape(source: LeafFile, name: str, element: Mapping[str, Array]) -> jax.ShapeDtypeStruct:
    """Shape and dtype of a tensor after it is moved; a soft element may change its shape."""
    like = source.file.shapes[name]
    soft = {group: array for group, array in element.items() if jnp.issubdtype(array.dtype, jnp.floating)}
    permutations = {group for group, item in source.spec.members if item.kind == "permutation"}
    if name not in source.names or not set(soft) & permutations:
        return like
    real = jax.ShapeDtypeStruct(like.shape, np.dtype(np.float32))
    leaf = source.names[name]
    shape = jax.eval_shape(lambda x: moved(source.spec, leaf, x, element), real).shape
    return jax.ShapeDtypeStruct(shape, like.dtype)


def _moved_leaf(source: LeafFile, name: str, element: Mapping[str, Array]) -> np.ndarray:
    dtype = source.file.shapes[name].dtype
    with precision(dtype):
        array = jnp.asarray(source.file[name].astype(wide(dtype)))
        result = np.asarray(moved(source.spec, source.names[name], array, element)).astype(dtype, copy=False)
    source.file.release(name)
    return result


def _copied(source: LeafFile, name: str) -> Iterator[np.ndarray]:
    like = source.file.shapes[name]
    for start in range(0, like.size, PIECE):
        yield source.file.read(name, start, np.empty(min(PIECE, like.size - start), like.dtype))
