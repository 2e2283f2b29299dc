"""Coordinate ascent on arrays that are looked at one by one: `geojax.symmetry.ascent` for what is on disk, or divided
among devices.

The gains of a group are a sum over arrays, so one array at a time is enough. Only arrays that make a step more than a
sum are held together: those that carry a group on two axes, and those where a group and others that depend on it
meet, the tensors of one attention layer, say.

Layers repeat, and their problems differ by the names of groups alone. Each step is therefore compiled for a problem
with names that mean nothing, and serves for every layer of the same shape.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax.results import Status
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.ascent.compact import DISCRETE, width
from geojax.symmetry.ascent.problem import Moves, Pair, Problem, gain_matrix, inner_product, move
from geojax.symmetry.ascent.step import Step, step
from geojax.symmetry.ascent.sweeps import TRUST, Match, anchored_order, included, reaches
from geojax.typing import Key

Read = Callable[[int], tuple[Array, Array]]
"""Number of a pair -> its arrays, held and moved."""


def lazy_match(
    problem: Problem,
    read: Read,
    sizes: Sequence[int],
    start: Moves,
    *,
    key: Key,
    settled: Sequence[str],
    max_sweeps: int,
    dtype: np.dtype,
) -> Match:
    """What `geojax.symmetry.weight_matching` does with its arrays, up to the order in which sums are rounded.

    Args:
        problem: The labels.
        read: Reads a pair of arrays.
        sizes: How many numbers each pair has.
        start: The elements to start from.
        key: Random key, for the order of the groups in each sweep.
        settled: The groups whose start is meant.
        max_sweeps: Most sweeps.
        dtype: The real dtype of the arrays.
    """
    units = problem.roots
    known = np.array([set(problem.family(name)) | {name} <= set(settled) for name in units], bool)
    sweep = functools.partial(_sweep, problem, read, dtype, key, anchored_order(problem, sizes, known), known)
    element, stale = dict(start), np.ones(len(units), bool)
    trust = np.where(known, 1.0, TRUST[0])
    constants: dict[str, Array] = {}
    error, count, status = (np.inf, 0, Status.MAX_STEPS) if units else (0.0, 0, Status.CONVERGED)
    while units and status == Status.MAX_STEPS and count < max_sweeps:
        element, stale, trust, error = sweep(element, stale, trust, count, constants)
        count += 1
        if not np.isfinite(error):
            status = Status.NONFINITE
        elif error <= 0:
            status = Status.CONVERGED
    value = lazy_objective(problem, read, element, dtype)
    status = status if np.isfinite(value) else Status.NONFINITE
    return Match(
        element,
        value,
        jnp.asarray(error, dtype),
        jnp.asarray(count, jnp.int32),
        jnp.asarray(status, jnp.int32),
    )


def lazy_objective(
    problem: Problem, read: Read, element: Mapping[str, Array], dtype: np.dtype
) -> Float[Array, ""]:
    """Sum over pairs of <a, b moved by the element>."""
    total = jnp.zeros((), dtype)
    for number in range(len(problem.pairs)):
        small = _part(problem, (number,))
        total += _inner_product(small.problem, *read(number), small.inwards(element))
        # Arrays are let go of when what was to be made of them is made: wait, and no second pair is there.
        total.block_until_ready()
    return total


def _sweep(
    problem: Problem,
    read: Read,
    dtype: np.dtype,
    key: Key,
    first_order: Sequence[int],
    known: np.ndarray,
    before: Moves,
    stale: np.ndarray,
    trust: np.ndarray,
    count: int,
    constants: dict[str, Array],
) -> tuple[Moves, np.ndarray, np.ndarray, float]:
    """One visit to every group that may have something to gain; the first sweep goes there and back."""
    units, reach = problem.roots, reaches(problem)
    levels = TRUST if len(units) > 1 else TRUST[:1]
    first, from_scratch = bool(np.any(trust < 1)), not known.all()
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, count), len(units)))
    if first:
        order = np.concatenate([np.asarray(first_order)[:: (-1) ** k] for k in range(len(levels))])
    element, stale, trust, rise = dict(before), stale.copy(), trust.copy(), 0.0
    for turn, unit in enumerate(order.tolist()):
        level = levels[turn // len(units)]
        if first and turn % len(units) == 0:
            trust = np.where(known, trust, level)
        gain = 0.0
        if stale[unit] or (first and level < 1):
            include = included(problem, unit, jnp.asarray(trust, dtype)) if from_scratch else None
            element, gain = _visit(problem, str(units[unit]), read, element, dtype, include, constants)
        # A group that could not look at every array in full has to come again.
        stale[unit] = bool(np.any(reach[unit] & (trust < 1)))
        stale |= (gain != 0) & reach[unit]
        trust[unit] = 1
        rise += gain
    if first and from_scratch:
        low, high = (float(lazy_objective(problem, read, moves, dtype)) for moves in (before, element))
        if high < low:
            element, stale = dict(before), np.ones_like(stale)
        # While a group is stale the ascent is not over, however small the rise.
        limits = jnp.finfo(dtype)
        least = max(float(limits.eps) * abs(low), float(limits.tiny)) if stale.any() else 0.0
        rise = rise if np.isnan(rise) else max(high - low, least)
    return element, stale, trust, rise


def _visit(
    problem: Problem,
    name: str,
    read: Read,
    element: Moves,
    dtype: np.dtype,
    include: Array | None,
    constants: dict[str, Array],
) -> tuple[Moves, float]:
    """The best element of a group and of its family while every other group stays."""
    weights = np.ones(len(problem.pairs)) if include is None else np.asarray(include)
    family = set(problem.family(name))
    current = element[name]
    kind = problem.kind(name)
    shape = current.shape if kind in DISCRETE else current.shape[:-1]
    gains = jnp.zeros((*shape, width(kind, shape[-1])), dtype)
    constant, held, seen = gains, [], 0
    for number in problem.touched(name):
        pair = problem.pairs[number]
        alone = set(pair.movers) <= {"", name}
        if family & set(pair.movers) or len(pair.positions(name)) > 1:
            held.append(number)
        elif (alone and name in constants) or (not alone and weights[number] == 0):
            continue
        else:
            small = _part(problem, (number,), name)
            a, b = read(number)
            one = _gains(small.problem, small.table[name], a, b, small.inwards(element))
            if alone:
                constant += one
                seen += a.size + b.size
            else:
                gains += weights[number].astype(dtype) * one
            # As above.
            jax.block_until_ready((gains, constant))
            del a, b
    constant = constants.get(name, constant)
    # Gains that no other group changes are kept where they are fewer numbers than the arrays they come from.
    if seen > constant.size:
        constants[name] = constant
    small = _part(problem, tuple(held), name)
    pairs = [read(number) for number in held]
    found = _step(
        small.problem,
        small.table[name],
        [a for a, _ in pairs],
        [b for _, b in pairs],
        small.inwards(element),
        gains + constant,
        jnp.asarray(weights[held], dtype),
    )
    return {**element, **small.outwards(found.element)}, float(found.gain)


@functools.partial(jax.jit, static_argnames=("problem", "name"))
def _gains(problem: Problem, name: str, a: Array, b: Array, element: Moves) -> Array:
    (pair,) = problem.pairs
    others = [other for other in problem.parents if other != name]
    return gain_matrix(problem, pair, name, a, move(problem, pair, b, element, others))


@functools.partial(jax.jit, static_argnames=("problem", "name"))
def _step(
    problem: Problem, name: str, a: list[Array], b: list[Array], element: Moves, gains: Array, include: Array
) -> Step:
    return step(problem, name, a, b, element, constant=gains, include=include)


@functools.partial(jax.jit, static_argnames=("problem",))
def _inner_product(problem: Problem, a: Array, b: Array, element: Moves) -> Array:
    (pair,) = problem.pairs
    return inner_product(a, move(problem, pair, b, element, tuple(problem.parents)))


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """Some pairs of a problem, with names by the order of their appearance; ``table`` has the new ones by the old."""

    problem: Problem
    table: dict[str, str]

    def inwards(self, element: Mapping[str, Array]) -> Moves:
        """The elements of the problem's groups under its names."""
        here = self.problem.parents
        return {self.table[name]: array for name, array in element.items() if self.table.get(name) in here}

    def outwards(self, element: Mapping[str, Array]) -> Moves:
        """Elements under the names that the groups had."""
        back = {short: name for name, short in self.table.items()}
        return {back[short]: array for short, array in element.items()}


def _part(problem: Problem, numbers: Sequence[int], name: str = "") -> _Part:
    """The numbered pairs, with the groups on them and those that depend on ``name``."""
    pairs = [problem.pairs[number] for number in numbers]
    wanted = {name, *(mover for pair in pairs for mover in pair.movers)} - {""}
    wanted |= set(problem.family(name)) if name else set()
    groups = [(group, parents) for group, parents in problem.groups if group in wanted]
    words = [name, *(word for pair in pairs for both in zip(pair.movers, pair.names) for word in both)]
    table = {"": ""}
    for word in [*words, *(word for group, parents in groups for word in (group, *parents))]:
        table.setdefault(word, str(len(table)))
    new = lambda words: tuple(table[word] for word in words)  # noqa: E731
    kinds = [(table[group], problem.kind(group)) for group, _ in groups if problem.kind(group) != PERMUTATION]
    renamed = Problem(
        tuple(Pair(new(pair.names), new(pair.movers), pair.signed) for pair in pairs),
        tuple((table[group], new(parents)) for group, parents in groups),
        tuple(kinds),
    )
    return _Part(renamed, table)
