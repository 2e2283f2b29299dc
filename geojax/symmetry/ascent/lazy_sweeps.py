"""Coordinate ascent on arrays that are read one pair at a time: files on disk, or arrays divided among devices.

The algorithm is that of `sweeps`. The gains of a group are a sum over pairs, so one pair in memory is enough. Only the
pairs of which an update is more than a sum are read together: those with the group on two axes, and those that the
group moves together with groups that depend on it, such as the tensors of one attention layer.

The layers of a network repeat, and their problems differ only in the names of groups. Each update is therefore compiled
for a problem with neutral names, and the program serves every layer of the same shape.
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
from geojax.symmetry.ascent.group_update import Update, update_group
from geojax.symmetry.ascent.kinds import DISCRETE, num_columns
from geojax.symmetry.ascent.problem import (
    CompactElement,
    Pair,
    Problem,
    inner_product,
    move_array,
    pair_gains,
)
from geojax.symmetry.ascent.sweeps import TRUST, Match, anchored_order, dependences, pair_weights
from geojax.typing import Key

Read = Callable[[int], tuple[Array, Array]]
"""Number of a pair -> its two arrays, the fixed one and the one to move."""


def lazy_match(
    problem: Problem,
    read: Read,
    sizes: Sequence[int],
    start: CompactElement,
    *,
    key: Key,
    given: Sequence[str],
    max_steps: int,
    dtype: np.dtype,
) -> Match:
    """`geojax.symmetry.weight_matching` for arrays that are read when needed; sums may be rounded in another order.

    Args:
        problem: Which group moves which axis.
        read: Reads a pair of arrays.
        sizes: The number of entries of each pair's arrays.
        start: The element to start from.
        key: Random key, for the order of the groups in each sweep.
        given: The groups whose element in ``start`` the caller has chosen, as for `sweeps.ascend`.
        max_steps: Most sweeps.
        dtype: The real dtype of the arrays.
    """
    roots = problem.roots
    is_given = np.array([set(problem.dependents(name)) | {name} <= set(given) for name in roots], bool)
    order = anchored_order(problem, sizes, is_given)
    sweep = functools.partial(_sweep, problem, read, dtype, key, order, is_given)
    element, stale = dict(start), np.ones(len(roots), bool)
    trust = np.where(is_given, 1.0, TRUST[0])
    constants: dict[str, Array] = {}
    value: Array | None = None
    error, count, status = (np.inf, 0, Status.MAX_STEPS) if roots else (0.0, 0, Status.CONVERGED)
    while roots and status == Status.MAX_STEPS and count < max_steps:
        element, stale, trust, error, measured = sweep(element, stale, trust, count, constants)
        if measured is not None or error != 0:
            value = measured
        count += 1
        if not np.isfinite(error):
            status = Status.NONFINITE
        elif error <= 0:
            status = Status.CONVERGED
    value = lazy_objective(problem, read, element, dtype) if value is None else value
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
        small = _with_neutral_names(problem, (number,))
        total += _inner_product(small.problem, *read(number), small.inwards(element))
        # JAX keeps the arrays until their product is computed. Wait for it, so that two pairs are never in memory.
        total.block_until_ready()
    return total


def _sweep(
    problem: Problem,
    read: Read,
    dtype: np.dtype,
    key: Key,
    first_order: Sequence[int],
    is_given: np.ndarray,
    before: CompactElement,
    stale: np.ndarray,
    trust: np.ndarray,
    count: int,
    constants: dict[str, Array],
) -> tuple[CompactElement, np.ndarray, np.ndarray, float, Array | None]:
    """One sweep as in `sweeps.ascend`; also the objective after it, if it was measured."""
    roots, depends = problem.roots, dependences(problem)
    levels = TRUST if len(roots) > 1 else TRUST[:1]
    first, from_scratch = bool(np.any(trust < 1)), not is_given.all()
    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, count), len(roots)))
    if first:
        order = np.concatenate([np.asarray(first_order)[:: (-1) ** k] for k in range(len(levels))])
    element, stale, trust, rise = dict(before), stale.copy(), trust.copy(), 0.0
    for turn, root in enumerate(order.tolist()):
        level = levels[turn // len(roots)]
        if first and turn % len(roots) == 0:
            trust = np.where(is_given, trust, level)
        gain = 0.0
        if stale[root] or (first and level < 1):
            include = pair_weights(problem, root, jnp.asarray(trust, dtype)) if from_scratch else None
            element, gain = _update(problem, str(roots[root]), read, element, dtype, include, constants)
        # A root that did not see every array in full has to come again.
        stale[root] = bool(np.any(depends[root] & (trust < 1)))
        stale |= (gain != 0) & depends[root]
        trust[root] = 1
        rise += gain
    if not (first and from_scratch):
        return element, stale, trust, rise, None
    low, high = (lazy_objective(problem, read, each, dtype) for each in (before, element))
    if high < low:
        element, stale, high = dict(before), np.ones_like(stale), low
    # While a root is stale the ascent must go on, so its rise must not be 0.
    limits = jnp.finfo(dtype)
    least = max(float(limits.eps) * abs(float(low)), float(limits.tiny)) if stale.any() else 0.0
    rise = rise if np.isnan(rise) else max(float(high) - float(low), least)
    return element, stale, trust, rise, high


def _update(
    problem: Problem,
    name: str,
    read: Read,
    element: CompactElement,
    dtype: np.dtype,
    include: Array | None,
    constants: dict[str, Array],
) -> tuple[CompactElement, float]:
    """The best element of a group and of its dependents while every other group stays, and the gain."""
    weights = np.ones(len(problem.pairs)) if include is None else np.asarray(include)
    dependents = set(problem.dependents(name))
    current = element[name]
    kind = problem.kind(name)
    shape = current.shape if kind in DISCRETE else current.shape[:-1]
    gains = jnp.zeros((*shape, num_columns(kind, shape[-1])), dtype)
    constant, together, num_read = gains, [], 0
    for number in problem.touched(name):
        pair = problem.pairs[number]
        alone = set(pair.groups) <= {"", name}
        if dependents & set(pair.groups) or len(pair.positions(name)) > 1:
            together.append(number)
        elif (alone and name in constants) or (not alone and weights[number] == 0):
            continue
        else:
            small = _with_neutral_names(problem, (number,), name)
            a, b = read(number)
            one = _gains(small.problem, small.names[name], a, b, small.inwards(element))
            if alone:
                constant += one
                num_read += a.size + b.size
            else:
                gains += weights[number].astype(dtype) * one
            # Wait until the products are computed, so that two pairs are never in memory.
            jax.block_until_ready((gains, constant))
            del a, b
    constant = constants.get(name, constant)
    # Gains that no other group changes are kept if they are fewer numbers than the arrays behind them.
    if num_read > constant.size:
        constants[name] = constant
    small = _with_neutral_names(problem, tuple(together), name)
    pairs = [read(number) for number in together]
    result = _update_program(
        small.problem,
        small.names[name],
        [a for a, _ in pairs],
        [b for _, b in pairs],
        small.inwards(element),
        gains + constant,
        jnp.asarray(weights[together], dtype),
    )
    return {**element, **small.outwards(result.element)}, float(result.gain)


@functools.partial(jax.jit, static_argnames=("problem", "name"))
def _gains(problem: Problem, name: str, a: Array, b: Array, element: CompactElement) -> Array:
    (pair,) = problem.pairs
    others = [other for other in problem.parents if other != name]
    return pair_gains(problem, pair, name, a, move_array(problem, pair, b, element, others))


@functools.partial(jax.jit, static_argnames=("problem", "name"))
def _update_program(
    problem: Problem,
    name: str,
    a: list[Array],
    b: list[Array],
    element: CompactElement,
    gains: Array,
    include: Array,
) -> Update:
    return update_group(problem, name, a, b, element, constant=gains, include=include)


@functools.partial(jax.jit, static_argnames=("problem",))
def _inner_product(problem: Problem, a: Array, b: Array, element: CompactElement) -> Array:
    (pair,) = problem.pairs
    return inner_product(a, move_array(problem, pair, b, element, tuple(problem.parents)))


@dataclasses.dataclass(frozen=True, eq=False)
class _Renamed:
    """Some pairs of a problem with neutral names, numbered as they appear; ``names`` gives the new name of each old."""

    problem: Problem
    names: dict[str, str]

    def inwards(self, element: Mapping[str, Array]) -> CompactElement:
        """The elements of this problem's groups, under their new names."""
        here = self.problem.parents
        return {self.names[name]: array for name, array in element.items() if self.names.get(name) in here}

    def outwards(self, element: Mapping[str, Array]) -> CompactElement:
        """The elements of this problem's groups, under their old names."""
        old = {new: name for name, new in self.names.items()}
        return {old[new]: array for new, array in element.items()}


def _with_neutral_names(problem: Problem, numbers: Sequence[int], name: str = "") -> _Renamed:
    """The numbered pairs, the groups that move them, and ``name`` with the groups that depend on it."""
    pairs = [problem.pairs[number] for number in numbers]
    wanted = {name, *(group for pair in pairs for group in pair.groups)} - {""}
    wanted |= set(problem.dependents(name)) if name else set()
    groups = [(group, parents) for group, parents in problem.groups if group in wanted]
    words = [name, *(word for pair in pairs for both in zip(pair.groups, pair.names) for word in both)]
    names = {"": ""}
    for word in [*words, *(word for group, parents in groups for word in (group, *parents))]:
        names.setdefault(word, str(len(names)))
    new = lambda words: tuple(names[word] for word in words)  # noqa: E731
    kinds = [(names[group], problem.kind(group)) for group, _ in groups if problem.kind(group) != PERMUTATION]
    renamed = Problem(
        tuple(Pair(new(pair.names), new(pair.groups), pair.signed) for pair in pairs),
        tuple((names[group], new(parents)) for group, parents in groups),
        tuple(kinds),
    )
    return _Renamed(renamed, names)
