"""Coordinate ascent: sweeps over the groups of a matching problem until no group can move."""

import functools
from collections.abc import Collection, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from geojax._core.loops import iterate, vary_with
from geojax.results import Status
from geojax.symmetry.ascent.group_update import constant_gains, update_group
from geojax.symmetry.ascent.problem import CompactElement, Problem, objective, real_dtype
from geojax.typing import Key

TRUST = (0.0, 0.3, 1.0, 1.0, 0.5, 0.5)
"""The passes of the first sweep: how much an array counts before the other groups that move it had their turn.

Once such a group has been updated in the pass, the array counts in full for the groups after it. The passes run over
the groups forwards and backwards in turn. A pass that begins with little trust lets units leave places in which they
only hold each other. Of 30 pairs of MLPs this schedule ended above Git Re-Basin's objective in 29, a single pass in 17.
"""


class Match(NamedTuple):
    """A `MatchingResult` for a problem instead of a spec."""

    element: CompactElement
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


Ascent = tuple[CompactElement, Float[Array, ""], Int[Array, ""], Int[Array, ""]]
"""(element, rise in the last sweep, number of sweeps, status)."""


@functools.partial(jax.jit, static_argnames=("problem", "given", "max_steps"))
def ascend(
    problem: Problem,
    a: list[Array],
    b: list[Array],
    start: CompactElement,
    *,
    key: Key | None,
    given: tuple[str, ...],
    max_steps: int,
) -> Ascent:
    """Raises the objective group by group until no group can move, in at most ``max_steps`` sweeps.

    A sweep updates every root of the problem that may have something to gain, together with its dependents. The order
    is drawn from ``key``; without a key it is that of the problem.

    ``given`` names the groups whose element in ``start`` the caller has chosen. If there are others, the first sweep
    takes several passes. It begins with the roots that have most of their numbers in arrays which no other waiting root
    moves, and for each root it counts only the arrays whose other groups had their turn. Then it runs backwards and
    forwards again, weighting arrays as `TRUST` says. If this sweep ends below its start, it is undone.

    Under `vmap` the items run one after another: each stops when it has converged, and a root that nothing can change
    is skipped. In a batch that runs in lockstep neither would save time.
    """
    given_roots = tuple(set(problem.dependents(name)) | {name} <= set(given) for name in problem.roots)
    run = functools.partial(_sweep_until_done, problem, given_roots, max_steps)
    return jax.custom_batching.sequential_vmap(run)(a, b, start, key)


def _sweep_until_done(
    problem: Problem,
    given: tuple[bool, ...],
    max_steps: int,
    a: list[Array],
    b: list[Array],
    start: CompactElement,
    key: Key | None,
) -> Ascent:
    roots = problem.roots
    if not roots:
        nothing = jnp.zeros((), real_dtype(a))
        return start, nothing, jnp.asarray(0, jnp.int32), jnp.asarray(Status.CONVERGED, jnp.int32)
    a, b, start = vary_with((a, b, start), a, b, start, key)
    constants = [constant_gains(problem, name, a, b) for name in roots]
    depends = jnp.asarray(dependences(problem))
    is_given = jnp.asarray(given)
    from_scratch = not all(given)
    levels = TRUST if len(roots) > 1 else TRUST[:1]
    first_level = jnp.asarray(levels)
    first_order = jnp.asarray(anchored_order(problem, [x.size for x in a], given))
    passes = jnp.concatenate([first_order[:: (-1) ** k] for k in range(len(levels))])

    def update(number: int, element: CompactElement, trust: Float[Array, " roots"]):
        include = pair_weights(problem, number, trust) if from_scratch else None
        result = update_group(
            problem, roots[number], a, b, element, constant=constants[number], include=include
        )
        return result.element, result.gain

    updates = [functools.partial(update, number) for number in range(len(roots))]

    def sweep(state):
        before, stale, trust, count = state
        first = jnp.any(trust < 1)
        order = jnp.arange(len(roots))
        if key is not None:
            order = jax.random.permutation(jax.random.fold_in(key, count), order)
        order = jnp.where(first, passes, jnp.tile(order, len(levels)))

        def turn(i, carry):
            element, stale, trust, total = carry
            root = order[i]
            level = first_level[i // len(roots)]
            pass_begins = first & (i % len(roots) == 0)
            trust = jnp.where(pass_begins & ~is_given, level, trust)
            go = lambda element: jax.lax.switch(root, updates, element, trust)  # noqa: E731
            skip = lambda element: (element, jnp.zeros_like(total))  # noqa: E731
            element, gain = jax.lax.cond(stale[root] | (first & (level < 1)), go, skip, element)
            # A root that did not see every array in full has to come again.
            again = jnp.any(depends[root] & (trust < 1))
            stale = stale.at[root].set(again) | ((gain != 0) & depends[root])
            return element, stale, trust.at[root].set(1), total + gain

        nothing = vary_with(jnp.zeros((), real_dtype(a)), start)
        num_turns = jnp.where(first, len(passes), len(roots))
        carry = (before, stale, trust, nothing)
        element, stale, now, rise = jax.lax.fori_loop(0, num_turns, turn, carry)
        if from_scratch:
            judge = functools.partial(_undo_if_lower, problem, a, b)
            keep = lambda before, element, stale, rise: (element, stale, rise)  # noqa: E731
            element, stale, rise = jax.lax.cond(first, judge, keep, before, element, stale, rise)
        return (element, stale, now, count + 1), rise

    trust = jnp.where(is_given, 1.0, first_level[0])
    state = vary_with((start, jnp.ones(len(roots), bool), trust, jnp.asarray(0, jnp.int32)), start)
    end = iterate(sweep, state, tol=0.0, max_steps=max_steps)
    return end.state[0], end.error, end.num_steps, end.status


def _undo_if_lower(
    problem: Problem,
    a: list[Array],
    b: list[Array],
    before: CompactElement,
    after: CompactElement,
    stale,
    rise,
):
    """Undoes a first sweep that lowered the objective. Its rise is measured anew, because it saw weighted gains."""
    low, high = objective(problem, a, b, before), objective(problem, a, b, after)
    fell = high < low
    kept = jax.tree.map(lambda old, new: jnp.where(fell, old, new), before, after)
    stale = stale | fell
    # While a root is stale the ascent must go on, so its rise must not be 0.
    limits = jnp.finfo(rise.dtype)
    least = jnp.where(jnp.any(stale), jnp.maximum(limits.eps * jnp.abs(low), limits.tiny), 0)
    return kept, stale, jnp.where(jnp.isnan(rise), rise, jnp.maximum(high - low, least))


def _membership(problem: Problem) -> Bool[np.ndarray, "pairs roots"]:
    """Whether a root or one of its dependents moves a pair."""
    trees = [{name, *problem.dependents(name)} for name in problem.roots]
    rows = [[bool(set(pair.groups) & tree) for tree in trees] for pair in problem.pairs]
    return np.array(rows, bool).reshape(len(problem.pairs), len(trees))


def dependences(problem: Problem) -> Bool[np.ndarray, "roots roots"]:
    """Whether a move of one root can let another gain; also itself, if its update is not exact."""
    members = _membership(problem)
    shared = members.T @ members
    np.fill_diagonal(shared, [not _is_exact(problem, name) for name in problem.roots])
    return shared


def _is_exact(problem: Problem, name: str) -> bool:
    """Whether one update of a group finds its best element."""
    return not problem.quadratic(name) and (not problem.dependents(name) or problem.inside(name).separable)


def pair_weights(problem: Problem, root: int, trust: Float[Array, " roots"]) -> Float[Array, " pairs"]:
    """How much each pair counts for a root: the product of the trust in the other roots that move it.

    A pair that has the root on two axes does not count while the trust in the root itself is 0.
    """
    others = _membership(problem)
    others[:, root] = False
    name = problem.roots[root]
    twice = np.array([pair.groups.count(name) > 1 for pair in problem.pairs], bool)
    weights = jnp.prod(jnp.where(jnp.asarray(others), trust, 1), axis=1)
    return jnp.where(jnp.asarray(twice) & (trust[root] == 0), 0, weights)


def anchored_order(problem: Problem, sizes: Sequence[int], given: Collection[bool]) -> list[int]:
    """The roots in the order of the first sweep: those given first, then always the best anchored one.

    That is the root with the largest share of its numbers in pairs that no other waiting root moves.
    """
    members = _membership(problem)
    numbers = np.asarray(sizes, float)
    done = np.array(list(given), bool)
    order = [int(i) for i in np.flatnonzero(done)]
    while not done.all():
        waiting = members & ~done
        share = [
            numbers[waiting[:, i] & (waiting.sum(axis=1) == 1)].sum() / max(numbers[waiting[:, i]].sum(), 1)
            for i in range(len(done))
        ]
        best = max(np.flatnonzero(~done), key=lambda i: share[i])
        order.append(int(best))
        done[best] = True
    return order
