"""The tensors of a file as the leaves of a symmetry spec, read one at a time."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from geojax.io.formats.errors import CheckpointError, listed, shown
from geojax.io.formats.safetensors import Checkpoint
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.layout import blocks
from geojax.symmetry.action.spec import SymmetrySpec


@dataclasses.dataclass(frozen=True)
class LeafFile:
    """A file with the leaves of a spec.

    Attributes:
        spec: The symmetry.
        file: The open file.
        names: {tensor in the file: path of its leaf}. Several tensors may be copies of one leaf, such as tied layers.
        home: {path of a leaf: the first tensor that holds it}.
    """

    spec: SymmetrySpec
    file: Checkpoint
    names: Mapping[str, str]
    home: Mapping[str, str]

    def shape(self, path: str) -> jax.ShapeDtypeStruct:
        """Shape and dtype of a leaf."""
        return self.file.shapes[self.home[path]]

    def read(self, path: str, dtype: np.dtype, gauge: Mapping[str, Array] | None = None) -> Array:
        """A leaf in the given dtype, moved by the gauge if one is given."""
        name = self.home[path]
        # A copy, because JAX may read from its memory after the pages of a view have been dropped.
        array = jnp.asarray(self.file[name].astype(dtype))
        self.file.release(name)
        return moved(self.spec, path, array, gauge) if gauge else array


def leaf_file(where: str, spec: SymmetrySpec, file: Checkpoint, names: Mapping[str, str] | None) -> LeafFile:
    """Finds the leaves of a spec among the tensors of a file.

    Raises:
        CheckpointError: If the file lacks a leaf or has it in another shape, or a tensor is not a leaf; the message
            names them.
    """
    given = {name: name for name in file} if names is None else dict(names)
    expected = {leaf.path: leaf.shape for leaf in spec.leaves}
    home: dict[str, str] = {}
    lines = [f"missing: {shown(name)}, which names holds" for name in given if name not in file]
    for name, path in given.items():
        if path not in expected:
            lines.append(f"no leaf of the spec: {shown(path)}")
        elif name in file and tuple(file.shapes[name].shape) != tuple(expected[path]):
            got = list(file.shapes[name].shape)
            lines.append(f"{shown(name)}: got shape {got}, expected {list(expected[path])}")
        home.setdefault(path, name)
    lines += [f"missing: {shown(path)} {list(expected[path])}" for path in expected if path not in home]
    if lines:
        raise CheckpointError(
            file.path,
            f"{where}: its tensors are not the {len(expected)} leaves of the spec:{listed(lines)}\n"
            "Pass names={tensor: leaf} if the file has other names, or other tensors too.",
        )
    return LeafFile(spec, file, given, home)


def one_leaf(spec: SymmetrySpec, path: str) -> SymmetrySpec:
    """The spec restricted to one leaf, with all groups."""
    leaves = tuple(leaf for leaf in spec.leaves if leaf.path == path)
    return dataclasses.replace(spec, leaves=leaves, pins=())


def moved(spec: SymmetrySpec, path: str, array: Array, element: Mapping[str, Array]) -> Array:
    """One leaf after an element has acted on it."""
    return act(one_leaf(spec, path), element, {path: array})[path]


def groups_of(leaf: Leaf) -> set[str]:
    """The groups that move a leaf."""
    return {
        name
        for block in blocks(leaf.layout)
        for moves in (block.moves, *(part.moves for part in block.parts))
        for name, _ in moves
    }


@contextlib.contextmanager
def precision(*dtypes: np.dtype) -> Iterator[None]:
    """Enables 64-bit types if one of these dtypes needs them."""
    if {np.dtype(wide) for wide in (np.float64, np.int64, np.uint64)} & set(dtypes):
        with jax.enable_x64(True):
            yield
    else:
        yield
