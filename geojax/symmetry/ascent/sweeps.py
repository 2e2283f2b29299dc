"""Coordinate ascent: sweeps over the groups of a matching problem until none can move."""

import functools
from collections.abc import Collection, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from geojax._core.loops import iterate, vary_with
from geojax.results import Status
from geojax.symmetry.ascent.problem import Moves, Problem, objective, real_dtype
from geojax.symmetry.ascent.step import constant_gains, step
from geojax.typing import Key

TRUST = (0.0, 0.3, 1.0, 1.0, 0.5, 0.5)
"""What a place counts in each pass of a first sweep, until its unit has its turn in that pass and counts in full.

Passes go there and back. Beginning a pass soft lets units leave places that hold each other. Of 30 pairs of MLPs this
schedule ended above Git Re-Basin's objective in 29, a single pass in 17.
"""


class Match(NamedTuple):
    """A `MatchingResult` on pairs of arrays: its element is one of a problem."""

    moves: Moves
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


Ascent = tuple[Moves, Float[Array, ""], Int[Array, ""], Int[Array, ""]]


@functools.partial(jax.jit, static_argnames=("problem", "settled", "max_sweeps"))
def ascend(
    problem: Problem,
    a: list[Array],
    b: list[Array],
    start: Moves,
    key: Key | None,
    *,
    settled: tuple[str, ...],
    max_sweeps: int,
) -> Ascent:
    """Raises the objective group by group; returns the elements, the last rise, the sweeps and the
    status.

    Each sweep visits every group that may have something to gain, in an order drawn from ``key`` or, without
    one, as they come. Groups that are not in ``settled`` have no meaningful start: in the first sweep they
    are visited from the best anchored on, and each looks only at arrays that no group still to come would
    move; then back and there again, where arrays that such a group has yet to move again count as `TRUST`
    says. If that sweep ends lower than it began it is undone.

    Under `vmap` the items are taken one after another: a finished item stops, and a group that nothing has
    touched is skipped, neither of which a lockstep over the batch could do.
    """
    units = problem.roots
    settled_units = tuple(set(problem.family(name)) | {name} <= set(settled) for name in units)
    solve = functools.partial(_sweeps, problem, settled_units, max_sweeps)
    return jax.custom_batching.sequential_vmap(solve)(a, b, start, key)


def _sweeps(
    problem: Problem,
    settled: tuple[bool, ...],
    max_sweeps: int,
    a: list[Array],
    b: list[Array],
    start: Moves,
    key: Key | None,
) -> Ascent:
    units = problem.roots
    if not units:
        return (
            start,
            jnp.zeros((), real_dtype(a)),
            jnp.asarray(0, jnp.int32),
            jnp.asarray(Status.CONVERGED, jnp.int32),
        )
    a, b, start = vary_with((a, b, start), a, b, start, key)
    constants = [constant_gains(problem, name, a, b) for name in units]
    reach = jnp.asarray(reaches(problem))
    first_order = jnp.asarray(anchored_order(problem, [x.size for x in a], settled))
    from_scratch = not all(settled)

    def visit(number: int, element: Moves, trust: Float[Array, " units"]):
        include = included(problem, number, trust) if from_scratch else None
        moved = step(problem, units[number], a, b, element, constant=constants[number], include=include)
        return moved.element, moved.gain

    visits = [functools.partial(visit, number) for number in range(len(units))]
    levels = TRUST if len(units) > 1 else TRUST[:1]
    passes = jnp.concatenate([first_order[:: (-1) ** k] for k in range(len(levels))])
    begin = jnp.asarray(levels)

    def sweep(state):
        before, stale, trust, count = state
        first = jnp.any(trust < 1)
        order = jnp.arange(len(units))
        if key is not None:
            order = jax.random.permutation(jax.random.fold_in(key, count), order)
        order = jnp.where(first, passes, jnp.tile(order, len(levels)))

        def turn(i, carry):
            element, stale, trust, total = carry
            unit = order[i]
            level = begin[i // len(units)]
            begins = first & (i % len(units) == 0)
            trust = jnp.where(begins & ~settled_already, level, trust)
            go = lambda element: jax.lax.switch(unit, visits, element, trust)  # noqa: E731
            rest = lambda element: (element, jnp.zeros_like(total))  # noqa: E731
            element, gain = jax.lax.cond(stale[unit] | (first & (level < 1)), go, rest, element)
            # A unit that could not look at every array in full has to come again.
            again = jnp.any(reach[unit] & (trust < 1))
            stale = stale.at[unit].set(again) | ((gain != 0) & reach[unit])
            return element, stale, trust.at[unit].set(1), total + gain

        nothing = vary_with(jnp.zeros((), real_dtype(a)), start)
        at_first = (before, stale, trust, nothing)
        turns = jnp.where(first, len(passes), len(units))
        element, stale, now, rise = jax.lax.fori_loop(0, turns, turn, at_first)
        if from_scratch:
            judge = functools.partial(_judge, problem, a, b)
            keep = lambda before, element, stale, rise: (element, stale, rise)  # noqa: E731
            element, stale, rise = jax.lax.cond(first, judge, keep, before, element, stale, rise)
        return (element, stale, now, count + 1), rise

    settled_already = jnp.asarray(settled)
    trust = jnp.where(settled_already, 1.0, begin[0])
    state = vary_with((start, jnp.ones(len(units), bool), trust, jnp.asarray(0, jnp.int32)), start)
    end = iterate(sweep, state, tol=0.0, max_steps=max_sweeps)
    return end.state[0], end.error, end.num_steps, end.status


def _judge(problem: Problem, a: list[Array], b: list[Array], before: Moves, after: Moves, stale, rise):
    """Undoes a first sweep that fell; its rise is measured, as the gains it saw were partial."""
    low, high = objective(problem, a, b, before), objective(problem, a, b, after)
    fell = high < low
    kept = jax.tree.map(lambda old, new: jnp.where(fell, old, new), before, after)
    stale = stale | fell
    # While a unit is stale the ascent is not over, however small the rise.
    limits = jnp.finfo(rise.dtype)
    least = jnp.where(jnp.any(stale), jnp.maximum(limits.eps * jnp.abs(low), limits.tiny), 0)
    return kept, stale, jnp.where(jnp.isnan(rise), rise, jnp.maximum(high - low, least))


def _membership(problem: Problem) -> Bool[np.ndarray, "pairs units"]:
    """Whether a unit, a root with its family, moves a pair."""
    families = [{name, *problem.family(name)} for name in problem.roots]
    rows = [[bool(set(pair.movers) & family) for family in families] for pair in problem.pairs]
    return np.array(rows, bool).reshape(len(problem.pairs), len(families))


def reaches(problem: Problem) -> Bool[np.ndarray, "units units"]:
    """Whether a move of one unit can make another worth a visit; itself too, where a step is not exact."""
    members = _membership(problem)
    shared = members.T @ members
    np.fill_diagonal(shared, [not _exact(problem, name) for name in problem.roots])
    return shared


def _exact(problem: Problem, name: str) -> bool:
    """Whether one step of the group finds its optimum."""
    return not problem.quadratic(name) and (not problem.family(name) or problem.inside(name).separable)


def included(problem: Problem, unit: int, trust: Float[Array, " units"]) -> Float[Array, " pairs"]:
    """How much each pair counts for a unit: the product of the trust in the other units that move it, and
    nothing as long as the unit itself, where it is on two axes, has no place yet.
    """
    others = _membership(problem)
    others[:, unit] = False
    name = problem.roots[unit]
    twice = np.array([pair.movers.count(name) > 1 for pair in problem.pairs], bool)
    weight = jnp.prod(jnp.where(jnp.asarray(others), trust, 1), axis=1)
    return jnp.where(jnp.asarray(twice) & (trust[unit] == 0), 0, weight)


def anchored_order(problem: Problem, sizes: Sequence[int], settled: Collection[bool]) -> list[int]:
    """The units, each time the one with the largest share of its numbers in pairs that no unit still to come
    moves.
    """
    members = _membership(problem)
    numbers = np.asarray(sizes, float)
    known = np.array(list(settled), bool)
    order = [int(i) for i in np.flatnonzero(known)]
    while not known.all():
        free = members & ~known
        share = [
            numbers[free[:, i] & (free.sum(axis=1) == 1)].sum() / max(numbers[free[:, i]].sum(), 1)
            for i in range(len(known))
        ]
        best = max(np.flatnonzero(~known), key=lambda i: share[i])
        order.append(int(best))
        known[best] = True
    return order
