"""What a gallery entry is: a model, its parameters and inputs, and its symmetry derived by hand."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from geojax._core.tree import is_numeric, path_name
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params

Apply = Callable[..., Any]
Model = tuple[Apply, Params, tuple[Any, ...]]


@dataclasses.dataclass(frozen=True, order=True)
class Expected:
    """A group by what does not depend on its name: kind, length of the axis, lengths of the parents."""

    kind: str
    size: int
    of: tuple[int, ...] = ()
    connected: bool = False


def permutation(size: int, *of: int) -> Expected:
    return Expected("permutation", size, tuple(sorted(of)))


def scaling(size: int, *of: int) -> Expected:
    return Expected("scaling", size, tuple(sorted(of)))


def sign(size: int, *of: int) -> Expected:
    return Expected("sign", size, tuple(sorted(of)))


def orthogonal(size: int, *of: int) -> Expected:
    return Expected("orthogonal", size, tuple(sorted(of)))


def rotation(size: int, *of: int) -> Expected:
    """Rotations without reflections: the identity component of the orthogonal group."""
    return Expected("orthogonal", size, tuple(sorted(of)), connected=True)


def general_linear(size: int, *of: int) -> Expected:
    return Expected("general_linear", size, tuple(sorted(of)))


@dataclasses.dataclass(frozen=True)
class Example:
    """One architecture and its symmetry, derived by hand.

    Attributes:
        name: "framework family", unique in the gallery.
        build: key -> (apply, params, inputs), parameters drawn at random everywhere (no zeros or ones of an
            initialiser), variances positive.
        permutations: The maximal permutation group, one entry for each factor.
        continuous: Continuous and sign groups that must be among those found; more may be found.
        optional: Members of `permutations` that may be held fixed instead.
        reason: Why these and no others.
    """

    name: str
    build: Callable[[Key], Model]
    permutations: tuple[Expected, ...]
    reason: str
    continuous: tuple[Expected, ...] = ()
    optional: tuple[Expected, ...] = ()


def found(spec: SymmetrySpec) -> list[Expected]:
    """The groups of a spec, stripped of their names."""
    return sorted(
        Expected(group.kind, group.size, tuple(sorted(group.parent_sizes)), group.connected)
        for group in spec.groups.values()
    )


def generator(key: Key) -> np.random.Generator:
    """A numpy generator seeded by a JAX key: thousands of small draws without compiling anything."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def draw(key: Key, shapes: Params, scale: float = 0.6) -> Params:
    """A tree like ``shapes`` with normal entries in every array leaf, positive if the path names a variance.

    Leaves that are no arrays (functions of equinox modules, random keys) stay as they are.
    """
    random = generator(key)

    def one(path, leaf):
        if not is_numeric(leaf):
            return leaf
        values = scale * random.normal(size=leaf.shape)
        if "var" in path_name(path).split("/"):
            values = 0.5 + np.abs(values)
        return jax.numpy.asarray(values)

    return jax.tree_util.tree_map_with_path(one, shapes)


def shaped(*shape: int) -> jax.ShapeDtypeStruct:
    """The shape of a parameter, for `draw` to fill."""
    return jax.ShapeDtypeStruct(shape, np.float64)


def normal(key: Key, *shape: int) -> jax.Array:
    """A float64 input with normal entries."""
    return jax.numpy.asarray(generator(jax.random.fold_in(key, 1)).normal(size=shape))


def tokens(key: Key, vocabulary: int, *shape: int) -> jax.Array:
    """An int32 input with entries below ``vocabulary``."""
    return jax.numpy.asarray(generator(jax.random.fold_in(key, 2)).integers(vocabulary, size=shape), np.int32)
