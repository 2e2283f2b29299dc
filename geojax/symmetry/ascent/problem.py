"""Two sets of parameters as pairs of arrays with labelled axes: the problem that a matching solves.

A `Problem` is the static half: which compact group moves which axis of which pair. The arrays of the
pairs come beside it as two lists, ``a`` (held) and ``b`` (moved). Every axis is indexed by the *new* position
once its group has moved it, as in `geojax.symmetry.action`. How a spec becomes a problem is in `movers`.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.ascent.compact import apply, widened

Moves = dict[str, Array]
"""An element of every group of a problem, each as its kind is kept in `compact`."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Labels of the axes that two arrays share.

    Attributes:
        names: Name of each axis, equal wherever the same index runs; empty for an axis nothing refers to.
        movers: The group that moves each axis; empty for an axis that stays.
        signed: The axes on which a group's signs count.
    """

    names: tuple[str, ...]
    movers: tuple[str, ...]
    signed: tuple[int, ...] = ()

    def positions(self, group: str) -> tuple[int, ...]:
        """The axes that ``group`` moves."""
        return tuple(i for i, mover in enumerate(self.movers) if mover == group)

    def without(self, axes: Iterable[int]) -> "Pair":
        """The labels that are left when the axes are taken out."""
        kept = [i for i in range(len(self.names)) if i not in set(axes)]
        signed = tuple(place for place, i in enumerate(kept) if i in self.signed)
        return Pair(tuple(self.names[i] for i in kept), tuple(self.movers[i] for i in kept), signed)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Which groups move which axes of which pairs.

    Attributes:
        pairs: The labels of every pair of arrays.
        groups: Each group with the names of the axes on whose index it depends.
        kinds: The kind of each group that is not of plain permutations, one of those of `compact`.
    """

    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    kinds: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The parents of each group."""
        return dict(self.groups)

    def kind(self, name: str) -> str:
        """The kind of a group."""
        return dict(self.kinds).get(name, PERMUTATION)

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
        return Problem(pairs, groups, tuple((child, kind) for child, kind in self.kinds if child in family))

    @functools.cached_property
    def separable(self) -> bool:
        """Whether one step of each root solves the problem exactly."""
        apart = all(
            len(pair.movers) - pair.movers.count("") == len(set(pair.movers) - {""})
            and sum(bool({root, *self.family(root)} & set(pair.movers)) for root in self.roots) <= 1
            for pair in self.pairs
        )
        return apart and all(self.inside(root).separable for root in self.roots if self.family(root))


def move(problem: Problem, pair: Pair, b: Array, element: Mapping[str, Array], names: Iterable[str]) -> Array:
    """Moves one array by the named groups of ``element``, parents before children."""
    wanted = [name for name in names if name in pair.movers]
    for name in sorted(wanted, key=lambda name: len(problem.parents[name])):
        batch = _axes_of(pair, problem.parents[name])
        for axis in pair.positions(name):
            b = apply(problem.kind(name), element[name], b, axis, batch, axis in pair.signed)
    return b


def gain_matrix(problem: Problem, pair: Pair, name: str, a: Array, b: Array) -> Float[Array, "..."]:
    """What the objective gains for each coordinate of a group's element, from one pair.

    Inner products of every slice of ``a`` with every slice of ``b`` along the group's axis,
    C[p, i, j] = sum over the rest of a[p, i, rest] b[p, j, rest], with p the group's parents, and their
    negatives beside them where signs count. The pair must carry the group on one axis.
    """
    (axis,) = pair.positions(name)
    batch = _axes_of(pair, problem.parents[name])
    letters = list(range(a.ndim))
    other = [a.ndim if i == axis else i for i in letters]
    products = jnp.einsum(jnp.conj(a), letters, b, other, [*batch, axis, a.ndim], precision="highest")
    return widened(problem.kind(name), _real(products), axis in pair.signed)


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


def _axes_of(pair: Pair, names: Iterable[str]) -> list[int]:
    return [pair.names.index(name) for name in names]


def _real(x: Array) -> Array:
    return jnp.real(x) if jnp.iscomplexobj(x) else x
