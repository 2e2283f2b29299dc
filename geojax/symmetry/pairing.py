"""Two sets of parameters as pairs of arrays with labelled axes: the problem that a matching solves.

A `Problem` is the static half: which permutation group moves which axis of which pair. The arrays of the
pairs come beside it as two lists, ``a`` (held) and ``b`` (moved). Every axis is indexed by the *new* position
once its group has moved it, as in `geojax.symmetry.action`.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.groups import PERMUTATION
from geojax.symmetry.layout import Block, blocks, split
from geojax.symmetry.spec import SymmetrySpec, array_leaves
from geojax.typing import Params

Permutations = dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Labels of the axes that two arrays share.

    Attributes:
        names: Name of each axis, equal wherever the same index runs; empty for an axis nothing refers to.
        movers: The permutation group that moves each axis; empty for an axis that stays.
    """

    names: tuple[str, ...]
    movers: tuple[str, ...]

    def positions(self, group: str) -> tuple[int, ...]:
        """The axes that ``group`` moves."""
        return tuple(i for i, mover in enumerate(self.movers) if mover == group)

    def without(self, axes: Iterable[int]) -> "Pair":
        """The labels that are left when the axes are taken out."""
        kept = [i for i in range(len(self.names)) if i not in set(axes)]
        return Pair(tuple(self.names[i] for i in kept), tuple(self.movers[i] for i in kept))


@dataclasses.dataclass(frozen=True)
class Problem:
    """Which groups move which axes of which pairs.

    Attributes:
        pairs: The labels of every pair of arrays.
        groups: Each permutation group with the names of the axes on whose index it depends.
    """

    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]

    @functools.cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The parents of each group."""
        return dict(self.groups)

    @functools.cached_property
    def roots(self) -> tuple[str, ...]:
        """The groups that depend on no other group of the problem."""
        return tuple(name for name, parents in self.groups if not set(parents) & set(self.parents))

    def family(self, name: str) -> tuple[str, ...]:
        """The groups that depend on ``name``, whichever way."""
        return tuple(other for other, parents in self.groups if name in parents)

    def touched(self, *names: str) -> tuple[int, ...]:
        """Numbers of the pairs that any of the groups moves."""
        return tuple(i for i, pair in enumerate(self.pairs) if set(names) & set(pair.movers))

    def quadratic(self, name: str) -> bool:
        """Whether some pair carries the group on more than one axis."""
        return any(len(pair.positions(name)) > 1 for pair in self.pairs)

    def inside(self, name: str) -> "Problem":
        """The problem within one index of ``name``: its family, on the pairs that both move."""
        family = self.family(name)
        gone = {name, *self.parents[name]}
        pairs = tuple(
            pair.without(_axes_of(pair, (*self.parents[name], name)))
            for pair in (self.pairs[i] for i in self.touched(name))
            if set(family) & set(pair.movers)
        )
        groups = tuple((child, tuple(p for p in self.parents[child] if p not in gone)) for child in family)
        return Problem(pairs, groups)

    @functools.cached_property
    def separable(self) -> bool:
        """Whether one step of each root solves the problem exactly."""
        apart = all(
            len(pair.movers) - pair.movers.count("") == len(set(pair.movers) - {""})
            and sum(bool({root, *self.family(root)} & set(pair.movers)) for root in self.roots) <= 1
            for pair in self.pairs
        )
        return apart and all(self.inside(root).separable for root in self.roots if self.family(root))


def read_leaves(where: str, spec: SymmetrySpec, **trees: Params) -> tuple[Problem, list[list[Array]]]:
    """The matching problem of trees of parameters: every floating or complex leaf, block by block.

    Returns:
        The problem, and the arrays of each tree in the widest dtype that occurs, at least single precision.

    Raises:
        ValueError: If a tree does not fit the spec; the message names it.
    """
    read = []
    for name, params in trees.items():
        try:
            spec.check(params)
        except ValueError as error:
            raise ValueError(f"{where}: {name}: {error}") from error
        read.append(dict(array_leaves(params)))
    numeric = [leaf for leaf in spec.leaves if jnp.issubdtype(read[0][leaf.path].dtype, jnp.inexact)]
    dtype = jnp.result_type(jnp.float32, *(tree[leaf.path].dtype for leaf in numeric for tree in read))
    pairs = tuple(pair_of(spec, block) for leaf in numeric for block in blocks(leaf.layout))
    arrays = [
        [x for leaf in numeric for x in split(leaf.layout, jnp.asarray(tree[leaf.path], dtype))]
        for tree in read
    ]
    return Problem(pairs, permutation_groups(spec)), arrays


def pair_of(spec: SymmetrySpec, block: Block) -> Pair:
    """The labels of a block's axes."""
    groups = spec.groups
    movers = []
    for part in block.parts:
        found = [name for name, _ in part.moves if groups[name].kind == PERMUTATION]
        movers.append(found[0] if found else "")
    return Pair(tuple(part.name for part in block.parts), tuple(movers))


def permutation_groups(spec: SymmetrySpec) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The permutation groups of a spec with their parents."""
    return tuple((name, group.parents) for name, group in spec.members if group.kind == PERMUTATION)


def move(problem: Problem, pair: Pair, b: Array, element: Mapping[str, Array], names: Iterable[str]) -> Array:
    """Moves one array by the named groups of ``element``, parents before children."""
    wanted = [name for name in names if name in pair.movers]
    for name in sorted(wanted, key=lambda name: len(problem.parents[name])):
        batch = _axes_of(pair, problem.parents[name])
        for axis in pair.positions(name):
            b = permute(b, axis, batch, element[name])
    return b


def permute(x: Array, axis: int, batch: Sequence[int], permutation: Array) -> Array:
    """``x`` gathered along ``axis``; the permutation's leading axes run along the ``batch`` axes of ``x``."""
    if not batch:
        return jnp.take(x, permutation, axis=axis, unique_indices=True, mode="clip")
    axes = (*batch, axis)
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    shape = [1] * x.ndim
    for i, position in enumerate(axes):
        shape[position] = permutation.shape[i]
    return jnp.take_along_axis(x, jnp.transpose(permutation, order).reshape(shape), axis=axis, mode="clip")


def gain_matrix(problem: Problem, pair: Pair, name: str, a: Array, b: Array) -> Float[Array, "..."]:
    """Inner products of every slice of ``a`` with every slice of ``b`` along the axis of a group.

    C[p, i, j] = sum over the rest of a[p, i, rest] b[p, j, rest], with p the group's parents: what the
    objective gains if new index i takes old index j. The pair must carry the group on one axis.
    """
    (axis,) = pair.positions(name)
    batch = _axes_of(pair, problem.parents[name])
    letters = list(range(a.ndim))
    other = [a.ndim if i == axis else i for i in letters]
    return _real(jnp.einsum(jnp.conj(a), letters, b, other, [*batch, axis, a.ndim], precision="highest"))


def inner_product(a: Array, b: Array) -> Float[Array, ""]:
    """Real part of the sum of conj(a) b."""
    return _real(jnp.vdot(a, b, precision="highest"))


def objective(
    problem: Problem, a: Sequence[Array], b: Sequence[Array], element: Mapping[str, Array]
) -> Float[Array, ""]:
    """Sum over pairs of <a, b moved by ``element``>."""
    names = tuple(problem.parents)
    products = [
        inner_product(x, move(problem, pair, y, element, names))
        for pair, x, y in zip(problem.pairs, a, b, strict=True)
    ]
    return sum(products, start=jnp.zeros((), real_dtype(a)))


def real_dtype(arrays: Sequence[Array]) -> jnp.dtype:
    """The real dtype that goes with the arrays, which have one dtype; single precision where there are
    none.
    """
    return jnp.finfo(arrays[0].dtype).dtype if arrays else jnp.dtype(jnp.float32)


def _axes_of(pair: Pair, names: Iterable[str]) -> tuple[int, ...]:
    return tuple(pair.names.index(name) for name in names)


def _real(x: Array) -> Array:
    return jnp.real(x) if jnp.iscomplexobj(x) else x
