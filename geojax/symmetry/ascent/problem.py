"""The matching problem: two models as pairs of arrays with labelled axes.

A `Problem` is the static half: which compact group moves which axis of which pair. The arrays come beside it as two
lists, ``a`` (fixed) and ``b`` (moved). Every axis is indexed by the *new* position after its group has moved it, as in
`geojax.symmetry.action`. `compact_groups` makes problems from specs.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.ascent.kinds import apply, gains_of

CompactElement = dict[str, Array]
"""{compact group: element}, one for every group of a problem, stored as `kinds` says."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """What is known of the axes that two arrays share.

    Attributes:
        names: Name of each axis, equal wherever the same index runs; empty for an axis that no group refers to.
        groups: The compact group that moves each axis; empty for an axis that stays.
        signed: The axes on which a group's signs multiply.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    signed: tuple[int, ...] = ()

    def positions(self, group: str) -> tuple[int, ...]:
        """The axes that ``group`` moves."""
        return tuple(i for i, other in enumerate(self.groups) if other == group)

    def without(self, axes: Iterable[int]) -> "Pair":
        """The pair after the given axes have been taken out."""
        kept = [i for i in range(len(self.names)) if i not in set(axes)]
        signed = tuple(place for place, i in enumerate(kept) if i in self.signed)
        return Pair(tuple(self.names[i] for i in kept), tuple(self.groups[i] for i in kept), signed)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Which groups move which axes of which pairs.

    Attributes:
        pairs: The axes of every pair of arrays.
        groups: Each group with its parents, the names of the axes on whose index its element depends.
        kinds: The kind of each group that is not a plain permutation group, one of those of `kinds`.
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

    def dependents(self, name: str) -> tuple[str, ...]:
        """The groups that depend on ``name``: its children, their children, and so on."""
        return tuple(other for other, parents in self.groups if name in parents)

    def touched(self, *names: str) -> tuple[int, ...]:
        """The numbers of the pairs that any of the groups moves."""
        return tuple(i for i, pair in enumerate(self.pairs) if set(names) & set(pair.groups))

    def quadratic(self, name: str) -> bool:
        """Whether the group moves more than one axis of some pair, so that its gain is not linear."""
        return any(len(pair.positions(name)) > 1 for pair in self.pairs)

    def inside(self, name: str) -> "Problem":
        """The problem for one index of ``name``: its dependents, on the pairs that both move."""
        dependents = self.dependents(name)
        fixed = {name, *self.parents[name]}
        pairs = tuple(
            pair.without(_axes_of(pair, (*self.parents[name], name)))
            for pair in (self.pairs[i] for i in self.touched(name))
            if set(dependents) & set(pair.groups)
        )
        groups = tuple(
            (child, tuple(p for p in self.parents[child] if p not in fixed)) for child in dependents
        )
        return Problem(
            pairs, groups, tuple((child, kind) for child, kind in self.kinds if child in dependents)
        )

    @functools.cached_property
    def separable(self) -> bool:
        """Whether one update of each root solves the problem exactly.

        That is so if no pair is moved by two roots and their dependents, or twice by one group, at any depth.
        """
        apart = all(
            len(pair.groups) - pair.groups.count("") == len(set(pair.groups) - {""})
            and sum(bool({root, *self.dependents(root)} & set(pair.groups)) for root in self.roots) <= 1
            for pair in self.pairs
        )
        return apart and all(self.inside(root).separable for root in self.roots if self.dependents(root))


def move_array(
    problem: Problem, pair: Pair, b: Array, element: Mapping[str, Array], names: Iterable[str]
) -> Array:
    """Moves one array by the named groups of ``element``, parents before children."""
    wanted = [name for name in names if name in pair.groups]
    for name in sorted(wanted, key=lambda name: len(problem.parents[name])):
        batch = _axes_of(pair, problem.parents[name])
        for axis in pair.positions(name):
            b = apply(problem.kind(name), element[name], b, axis, batch, axis in pair.signed)
    return b


def pair_gains(problem: Problem, pair: Pair, name: str, a: Array, b: Array) -> Float[Array, "..."]:
    """The gains of a group from one pair, of which the group moves one axis.

    They are the inner products of every slice of ``a`` with every slice of ``b`` along that axis,
    C[p, i, j] = sum over the rest of a[p, i, rest] b[p, j, rest], with p the group's parents. If signs multiply on
    the axis, the negatives stand behind.
    """
    (axis,) = pair.positions(name)
    batch = _axes_of(pair, problem.parents[name])
    letters = list(range(a.ndim))
    other = [a.ndim if i == axis else i for i in letters]
    products = jnp.einsum(jnp.conj(a), letters, b, other, [*batch, axis, a.ndim], precision="highest")
    return gains_of(problem.kind(name), _real(products), axis in pair.signed)


def inner_product(a: Array, b: Array) -> Float[Array, ""]:
    """Real part of the sum of conj(a) b."""
    return _real(jnp.vdot(a, b, precision="highest"))


def objective(
    problem: Problem, a: Sequence[Array], b: Sequence[Array], element: Mapping[str, Array]
) -> Float[Array, ""]:
    """Sum over pairs of <a, b moved by ``element``>."""
    names = tuple(problem.parents)
    products = [
        inner_product(x, move_array(problem, pair, y, element, names))
        for pair, x, y in zip(problem.pairs, a, b, strict=True)
    ]
    return sum(products, start=jnp.zeros((), real_dtype(a)))


def real_dtype(arrays: Sequence[Array]) -> jnp.dtype:
    """The real dtype of arrays that share one dtype; single precision if there are no arrays."""
    return jnp.finfo(arrays[0].dtype).dtype if arrays else jnp.dtype(jnp.float32)


def _axes_of(pair: Pair, names: Iterable[str]) -> list[int]:
    return [pair.names.index(name) for name in names]


def _real(x: Array) -> Array:
    return jnp.real(x) if jnp.iscomplexobj(x) else x
