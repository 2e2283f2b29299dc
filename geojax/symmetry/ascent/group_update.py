"""One update of a matching: the best element of one group and of the groups that depend on it, all others fixed."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.symmetry.action.arrays import take
from geojax.symmetry.action.groups import SIGN
from geojax.symmetry.ascent.kinds import DISCRETE, SIGNED, num_columns
from geojax.symmetry.ascent.problem import (
    CompactElement,
    Pair,
    Problem,
    move_array,
    objective,
    pair_gains,
    real_dtype,
)
from geojax.symmetry.ascent.quadratic import Quadratic, climb

INNER_SWEEPS = 3
"""Sweeps over the groups within one pair of parent indices, if one update of each does not solve them exactly."""

MAX_NUMBERS = 2**26
"""Largest table of elements of dependents that is computed at once; a larger one is computed row by row."""


class Update(NamedTuple):
    """The result of an update: the new element, the objective of the pairs that the group moves, and its rise.

    ``gain`` is exactly zero if nothing moved, and NaN if an objective was not finite.
    """

    element: CompactElement
    value: Float[Array, ""]
    gain: Float[Array, ""]


def update_group(
    problem: Problem,
    name: str,
    a: Sequence[Array],
    b: Sequence[Array],
    element: Mapping[str, Array],
    *,
    constant: Array | None = None,
    include: Float[Array, " pairs"] | None = None,
) -> Update:
    """Finds the best elements of a group and of its dependents while every other group stays.

    A group without dependents is one linear problem for each index of its parents, solved by an assignment or by a
    polar factor. For a group with dependents, their best elements are computed for every pair (new index, old index)
    of the group, and for each of its signs, and an assignment on the values reached chooses the pairs; that is exact
    if the problem inside the group is separable. If a pair has the group on two axes, the gain is quadratic, and the
    update only climbs.

    Args:
        problem: Which group moves which axis.
        name: The group.
        a: The fixed arrays.
        b: The arrays to move, as given.
        element: The current element of every group of the problem.
        constant: The gains from the pairs that no other group moves, if they are known from `constant_gains`.
        include: A weight from 0 to 1 for each pair; by default all weights are 1.
    """
    dependents = problem.dependents(name)
    others = [other for other in problem.parents if other != name and other not in dependents]
    current = element[name]
    kind = problem.kind(name)
    shape = current.shape if kind in DISCRETE else current.shape[:-1]
    gains = jnp.zeros((*shape, num_columns(kind, shape[-1])), real_dtype(a))
    quadratics, with_dependents = [], []
    for i in problem.touched(name):
        pair = problem.pairs[i]
        if constant is not None and _moved_by_one(pair, name):
            continue
        moved = move_array(problem, pair, b[i], element, others)
        if include is not None:
            moved = moved * include[i].astype(moved.dtype)
        if set(dependents) & set(pair.groups):
            with_dependents.append((pair, a[i], moved))
        elif len(pair.positions(name)) == 1:
            gains += pair_gains(problem, pair, name, a[i], moved)
        else:
            batch = tuple(pair.names.index(parent) for parent in problem.parents[name])
            quadratics.append(Quadratic(a[i], moved, batch, pair.positions(name), pair.signed))
    if constant is not None:
        gains += constant
    table = None
    if with_dependents:
        table = _table(problem, name, with_dependents, element)
        gains += table.value
    chosen, value, gain = climb(kind, gains, quadratics, current)
    changed = {name: chosen}
    if table is not None:
        gain += jnp.sum(_entries_at(table.gain, current))
        for child in dependents:
            changed[child] = _axes_to_place(problem, name, child, _entries_at(table.element[child], chosen))
    return Update({**element, **changed}, jnp.sum(value), gain)


def constant_gains(problem: Problem, name: str, a: Sequence[Array], b: Sequence[Array]) -> Array | None:
    """The gains of a group from the pairs that no other group moves; None if there are no such pairs."""
    numbers = [i for i in problem.touched(name) if _moved_by_one(problem.pairs[i], name)]
    if not numbers:
        return None
    return sum(pair_gains(problem, problem.pairs[i], name, a[i], b[i]) for i in numbers)  # type: ignore[return-value]


def solve(problem: Problem, a: Sequence[Array], b: Sequence[Array], start: Mapping[str, Array]) -> Update:
    """Updates the roots of a problem in turn: once if that is exact, else in `INNER_SWEEPS` sweeps.

    The value is the objective of all pairs, each of which must be moved by a group of the problem.
    """
    element: CompactElement = dict(start)
    total = gain = jnp.zeros((), real_dtype(a))
    if problem.separable:
        for root in problem.roots:
            element, value, more = update_group(problem, root, a, b, element)
            total, gain = total + value, gain + more
        return Update(element, total, gain)
    for _ in range(INNER_SWEEPS):
        for root in problem.roots:
            element, _, more = update_group(problem, root, a, b, element)
            gain += more
    return Update(element, objective(problem, a, b, element), gain)


def _moved_by_one(pair: Pair, name: str) -> bool:
    """Whether a group moves one axis of a pair and no other group moves any."""
    return pair.groups.count(name) == 1 and set(pair.groups) <= {"", name}


def _table(
    problem: Problem,
    name: str,
    with_dependents: list[tuple[Pair, Array, Array]],
    element: Mapping[str, Array],
) -> Update:
    """The best elements of a group's dependents for every coordinate of the group.

    Every array of the result has the axes [parents..., new, k] in front, as gains have. If the group flips an array
    that its dependents move, their best elements differ between its two signs.
    """
    kind = problem.kind(name)
    plain = _update_dependents(problem, name, with_dependents, element)
    if kind not in (SIGNED, SIGN):
        return plain
    minus = plain
    flips = [pair.positions(name)[0] in pair.signed for pair, _, _ in with_dependents]
    if any(flips):
        negated = [
            (pair, a, -b if flip else b) for flip, (pair, a, b) in zip(flips, with_dependents, strict=True)
        ]
        minus = _update_dependents(problem, name, negated, element)
    old = element[name].ndim
    return jax.tree.map(lambda *both: jnp.concatenate(both, axis=old), plain, minus)


def _update_dependents(
    problem: Problem,
    name: str,
    with_dependents: list[tuple[Pair, Array, Array]],
    element: Mapping[str, Array],
) -> Update:
    """The best elements of a group's dependents for every pair (new index, old index) of the group.

    Every array of the result has the axes [parents..., new, old] in front.
    """
    inside = problem.inside(name)
    outer = (*problem.parents[name], name)
    depth = len(outer)

    def outer_axes_first(pair: Pair, x: Array) -> Array:
        return jnp.moveaxis(x, [pair.names.index(axis) for axis in outer], range(depth))

    a = [outer_axes_first(pair, x) for pair, x, _ in with_dependents]
    b = [outer_axes_first(pair, x) for pair, _, x in with_dependents]
    old_to_new = jnp.argsort(element[name] % element[name].shape[-1], axis=-1)
    start = {
        child: take(
            _outer_axes_first(problem, name, child, element[child]), depth - 1, range(depth - 1), old_to_new
        )
        for child in inside.parents
    }

    def match(x: list[Array], y: list[Array], first: CompactElement) -> Update:
        return solve(inside, x, y, first)

    def with_all_old(x: list[Array], y: list[Array], first: CompactElement) -> Update:
        return jax.vmap(match, in_axes=(None, 0, 0))(x, y, first)

    def all_pairs(x: list[Array], y: list[Array], first: CompactElement) -> Update:
        size = element[name].shape[-1]
        numbers = size**2 * max(math.prod(array.shape[depth:]) * array.shape[-1] for array in start.values())
        if numbers > MAX_NUMBERS:
            return jax.lax.map(lambda row: with_all_old(row, y, first), x)
        return jax.vmap(with_all_old, in_axes=(0, None, None))(x, y, first)

    for _ in range(depth - 1):
        all_pairs = jax.vmap(all_pairs)
    return all_pairs(a, b, start)


def _outer_axes_first(problem: Problem, name: str, child: str, array: Array) -> Array:
    """A child's array with the axes of the group's parents and of the group in front."""
    parents = problem.parents[child]
    outer = (*problem.parents[name], name)
    return jnp.moveaxis(array, [parents.index(axis) for axis in outer], range(len(outer)))


def _axes_to_place(problem: Problem, name: str, child: str, array: Array) -> Array:
    """The inverse of `_outer_axes_first`."""
    parents = problem.parents[child]
    outer = (*problem.parents[name], name)
    return jnp.moveaxis(array, range(len(outer)), [parents.index(axis) for axis in outer])


def _entries_at(table: Array, codes: Int[Array, "..."]) -> Array:
    """The entries [p..., i, codes[p..., i], ...] of a table [p..., new, k, ...]."""
    axis = codes.ndim
    index = codes.reshape(codes.shape + (1,) * (table.ndim - axis))
    return jnp.squeeze(jnp.take_along_axis(table, index, axis=axis, mode="clip"), axis)
