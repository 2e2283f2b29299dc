"""Searches by gradients for the element at which the midpoint of two models has the lowest loss."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.precision import rounded_once
from geojax.results import Status
from geojax.symmetry.action.elements import Element
from geojax.symmetry.ascent.problem import CompactElement
from geojax.symmetry.matching.by_weights import MatchingResult
from geojax.typing import Key, Params, Scalar

TURN = 1e-3
"""Smallest change of an entry of an orthogonal matrix that counts as a move."""

Proposal = Callable[[Any, Any, CompactElement, Key], tuple[Any, Any, CompactElement]]
"""One step of a search: (variables, optimizer state, element, key) -> (variables, optimizer state, element)."""


def search(
    finish: Callable[[CompactElement], Element],
    value: Callable[[CompactElement], Float[Array, ""]],
    propose: Proposal,
    variables: Any,
    optimizer_state: Any,
    start: CompactElement,
    *,
    key: Key,
    num_steps: int,
) -> MatchingResult:
    """A search of fixed length that keeps the best element it meets.

    Args:
        finish: Turns the best element into one of the spec.
        value: The value of an element, to be minimised.
        propose: One step.
        variables: What the optimizer moves.
        optimizer_state: The state of the optimizer.
        start: The first element.
        key: Random key, split into one for each step.
        num_steps: Number of steps.

    Returns:
        MatchingResult; objective is minus the lowest value, error the share of an element's entries that the last step
        changed.
    """
    entries = max(sum(array.size for array in start.values()), 1)

    def advance(state: _Search, key: Key) -> tuple[_Search, None]:
        variables, optimizer_state, proposed = propose(
            state.variables, state.optimizer_state, state.current, key
        )
        changed = sum(_num_changed(proposed[name], state.current[name]) for name in proposed)
        reached = value(proposed)
        better = reached < state.lowest
        best = {name: jnp.where(better, proposed[name], state.best[name]) for name in proposed}
        lowest = jnp.where(better, reached, state.lowest)
        error = jnp.asarray(changed / entries, first.dtype)
        return _Search(variables, optimizer_state, proposed, best, lowest, error), None

    first = value(start)
    # Without groups there is nothing to search.
    error = jnp.ones_like(first) if start else jnp.zeros_like(first)
    state = _Search(variables, optimizer_state, start, start, first, error)
    end, _ = jax.lax.scan(advance, state, jax.random.split(key, num_steps))
    code = jnp.where(end.error == 0, Status.CONVERGED, Status.MAX_STEPS)
    code = jnp.where(jnp.isfinite(end.lowest) & jnp.isfinite(end.error), code, Status.NONFINITE)
    steps = jnp.asarray(num_steps, jnp.int32)
    return MatchingResult(finish(end.best), -end.lowest, end.error, steps, code.astype(jnp.int32))


class _Search(NamedTuple):
    """The optimizer's variables and state, the last element, the best one, its value, and the share that changed."""

    variables: Any
    optimizer_state: Any
    current: CompactElement
    best: CompactElement
    lowest: Float[Array, ""]
    error: Float[Array, ""]


def _num_changed(new: Array, old: Array) -> Array:
    """How many entries of a group's element differ."""
    if jnp.issubdtype(new.dtype, jnp.integer):
        return jnp.sum(new != old)
    return jnp.sum(jnp.abs(new - old) > TURN)


def midpoint_loss(
    loss: Callable[[Params, Key], Scalar], params_a: Params, params_b: Params, *, key: Key
) -> Float[Array, ""]:
    """The loss of the midpoint of two models."""
    return jnp.asarray(loss(midpoint(params_a, params_b), key))


@rounded_once
def midpoint(params_a: Params, params_b: Params) -> Params:
    """The midpoint of two trees; leaves that are not floating or complex arrays are those of a."""
    pairs = zip(arrays_of(params_a), arrays_of(params_b), strict=True)
    return with_arrays(params_a, [(x + y) / 2 for x, y in pairs])


def arrays_of(params: Params) -> list[Array]:
    """The floating and complex leaves of a tree."""
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(params) if _is_inexact(leaf)]


def with_arrays(params: Params, arrays: list[Array]) -> Params:
    """A tree with its floating and complex leaves replaced."""
    remaining = iter(arrays)
    return jax.tree.map(lambda leaf: next(remaining) if _is_inexact(leaf) else leaf, params)


def _is_inexact(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)
