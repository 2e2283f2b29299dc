"""One coordinate step of a matching: the best element of one group, and of all groups inside it, the others
held.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.symmetry.action.arrays import take
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.ascent.compact import DISCRETE, width
from geojax.symmetry.ascent.problem import Moves, Pair, Problem, gain_matrix, move, objective, real_dtype
from geojax.symmetry.ascent.quadratic import Quadratic, climb

INNER_SWEEPS = 3
"""Rounds within one pair of parent indices, where the groups inside share pairs of arrays and one is not
exact."""

MAX_NUMBERS = 2**26
"""Gains to hold at once: beyond it the parent's indices are taken one by one instead of together."""


class Step(NamedTuple):
    """Where a step led: the element, the objective of the pairs it touched, and how much it rose.

    ``gain`` is exactly zero where nothing moved and NaN where a cost was not finite.
    """

    element: Moves
    value: Float[Array, ""]
    gain: Float[Array, ""]


def step(
    problem: Problem,
    name: str,
    a: Sequence[Array],
    b: Sequence[Array],
    element: Mapping[str, Array],
    *,
    constant: Array | None = None,
    include: Float[Array, " pairs"] | None = None,
) -> Step:
    """Finds the best elements of a group and of its family while every other group stays.

    Without a family this is one linear problem for each index of the group's parents: an assignment, or a polar
    factor. With one, the best value of
    the family is found for every pair (new index, old index) of the group, and an assignment on those values
    picks the
    pairs: exact where the family is separable. Arrays that carry the group on two axes make it quadratic, which
    climbs and never descends.

    Args:
        problem: The labels.
        name: The group.
        a: The arrays held.
        b: The arrays moved, each as given, not moved yet.
        element: The current element of every group of the problem.
        constant: Gains of the pairs that no other group moves, from `constant_gains`.
        include: A weight for each pair, from 0 to 1; all count in full where it is not given.
    """
    family = problem.family(name)
    others = [other for other in problem.parents if other != name and other not in family]
    current = element[name]
    kind = problem.kind(name)
    shape = current.shape if kind in DISCRETE else current.shape[:-1]
    gains = jnp.zeros((*shape, width(kind, shape[-1])), real_dtype(a))
    quadratics, nested = [], []
    for i in problem.touched(name):
        pair = problem.pairs[i]
        if constant is not None and _alone(pair, name):
            continue
        moved = move(problem, pair, b[i], element, others)
        if include is not None:
            moved = moved * include[i].astype(moved.dtype)
        if set(family) & set(pair.movers):
            nested.append((pair, a[i], moved))
        elif len(pair.positions(name)) == 1:
            gains += gain_matrix(problem, pair, name, a[i], moved)
        else:
            batch = tuple(pair.names.index(parent) for parent in problem.parents[name])
            quadratics.append(Quadratic(a[i], moved, batch, pair.positions(name), pair.signed))
    if constant is not None:
        gains += constant
    inner = None
    if nested:
        inner = _match_inside(problem, name, nested, element)
        gains += inner.value if kind == PERMUTATION else jnp.concatenate([inner.value, inner.value], axis=-1)
    chosen, value, gain = climb(kind, gains, quadratics, current)
    found = {name: chosen}
    if inner is not None:
        gain += jnp.sum(_select(inner.gain, current))
        for child in family:
            found[child] = _put_back(problem, name, child, _select(inner.element[child], chosen))
    return Step({**element, **found}, jnp.sum(value), gain)


def constant_gains(problem: Problem, name: str, a: Sequence[Array], b: Sequence[Array]) -> Array | None:
    """The part of a group's gains that no other group changes, or None where there is no such part."""
    alone = [i for i in problem.touched(name) if _alone(problem.pairs[i], name)]
    if not alone:
        return None
    return sum(gain_matrix(problem, problem.pairs[i], name, a[i], b[i]) for i in alone)  # type: ignore[return-value]


def solve(problem: Problem, a: Sequence[Array], b: Sequence[Array], start: Mapping[str, Array]) -> Step:
    """Steps through the roots of a problem: once where that is exact, a few rounds where it is not.

    The value is the objective of all pairs, which some group of the problem must move.
    """
    element: Moves = dict(start)
    total = gain = jnp.zeros((), real_dtype(a))
    if problem.separable:
        for root in problem.roots:
            element, value, more = step(problem, root, a, b, element)
            total, gain = total + value, gain + more
        return Step(element, total, gain)
    for _ in range(INNER_SWEEPS):
        for root in problem.roots:
            element, _, more = step(problem, root, a, b, element)
            gain += more
    return Step(element, objective(problem, a, b, element), gain)


def _alone(pair: Pair, name: str) -> bool:
    return pair.movers.count(name) == 1 and set(pair.movers) <= {"", name}


def _match_inside(problem: Problem, name: str, nested: list[tuple[Pair, Array, Array]], element) -> Step:
    """The best family for every pair (new index, old index) of a group: [parents..., new, old, ...]
    throughout.
    """
    inside = problem.inside(name)
    outer = (*problem.parents[name], name)
    depth = len(outer)
    front = lambda pair, x: jnp.moveaxis(x, [pair.names.index(axis) for axis in outer], range(depth))  # noqa: E731
    a = [front(pair, x) for pair, x, _ in nested]
    b = [front(pair, x) for pair, _, x in nested]
    where = jnp.argsort(element[name] % element[name].shape[-1], axis=-1)
    start = {
        child: take(_bring_forward(problem, name, child, element[child]), depth - 1, range(depth - 1), where)
        for child in inside.parents
    }

    def match(x: list[Array], y: list[Array], first: Moves) -> Step:
        return solve(inside, x, y, first)

    def against_all(x: list[Array], y: list[Array], first: Moves) -> Step:
        return jax.vmap(match, in_axes=(None, 0, 0))(x, y, first)

    def every_pair(x: list[Array], y: list[Array], first: Moves) -> Step:
        size = element[name].shape[-1]
        numbers = size**2 * max(math.prod(array.shape[depth:]) * array.shape[-1] for array in start.values())
        if numbers > MAX_NUMBERS:
            return jax.lax.map(lambda row: against_all(row, y, first), x)
        return jax.vmap(against_all, in_axes=(0, None, None))(x, y, first)

    for _ in range(depth - 1):
        every_pair = jax.vmap(every_pair)
    return every_pair(a, b, start)


def _bring_forward(problem: Problem, name: str, child: str, array: Array) -> Array:
    """A child's array with the axes of the group's parents and of the group in front."""
    parents = problem.parents[child]
    outer = (*problem.parents[name], name)
    return jnp.moveaxis(array, [parents.index(axis) for axis in outer], range(len(outer)))


def _put_back(problem: Problem, name: str, child: str, array: Array) -> Array:
    """Undoes `_bring_forward`."""
    parents = problem.parents[child]
    outer = (*problem.parents[name], name)
    return jnp.moveaxis(array, range(len(outer)), [parents.index(axis) for axis in outer])


def _select(table: Array, permutation: Int[Array, "..."]) -> Array:
    """The entries [p..., i, permutation[p..., i], ...] of a table [p..., new, old, ...]."""
    axis = permutation.ndim
    index = (permutation % permutation.shape[-1]).reshape(permutation.shape + (1,) * (table.ndim - axis))
    return jnp.squeeze(jnp.take_along_axis(table, index, axis=axis, mode="clip"), axis)
