"""Searches by gradients for the element whose midpoint between two models works best."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import Element
from geojax.symmetry.ascent.balanced_models import Setting
from geojax.symmetry.ascent.problem import Moves
from geojax.symmetry.matching.by_weights import MatchingResult
from geojax.typing import Key, Params, Scalar

TURN = 1e-3
"""Change of an entry of a rotation that counts as a move."""

Proposal = Callable[[Any, Any, Moves, Key], tuple[Any, Any, Moves]]
"""(variables, state of the optimiser, element, key) -> the same, a step further."""


def search(
    finish: Callable[[Moves], Element],
    value: Callable[[Moves], Float[Array, ""]],
    propose: Proposal,
    variables: Any,
    optimizer_state: Any,
    start: Moves,
    key: Key,
    num_steps: int,
) -> MatchingResult:
    """A search of fixed length that keeps the best element it meets; ``finish`` makes it one of the spec.

    Returns:
        MatchingResult; objective is minus the lowest value, error the share of an element's entries that the last
        step moved, which is 0 once the search has settled.
    """
    entries = max(sum(array.size for array in start.values()), 1)

    def advance(state: _Search, key: Key) -> tuple[_Search, None]:
        variables, optimizer_state, found = propose(
            state.variables, state.optimizer_state, state.current, key
        )
        moved = sum(_moved(found[name], state.current[name]) for name in found)
        reached = value(found)
        better = reached < state.lowest
        best = {name: jnp.where(better, found[name], state.best[name]) for name in found}
        error = jnp.asarray(moved / entries, first.dtype)
        return _Search(
            variables, optimizer_state, found, best, jnp.where(better, reached, state.lowest), error
        ), None

    first = value(start)
    state = _Search(
        variables,
        optimizer_state,
        start,
        start,
        first,
        jnp.ones_like(first) if start else jnp.zeros_like(first),
    )
    end, _ = jax.lax.scan(advance, state, jax.random.split(key, num_steps))
    code = jnp.where(end.error == 0, Status.CONVERGED, Status.MAX_STEPS)
    code = jnp.where(jnp.isfinite(end.lowest) & jnp.isfinite(end.error), code, Status.NONFINITE)
    return MatchingResult(
        finish(end.best),
        -end.lowest,
        end.error,
        jnp.asarray(num_steps, jnp.int32),
        code.astype(jnp.int32),
    )


class _Search(NamedTuple):
    variables: Any
    optimizer_state: Any
    current: Moves
    best: Moves
    lowest: Float[Array, ""]
    error: Float[Array, ""]


def _moved(found: Array, before: Array) -> Array:
    if jnp.issubdtype(found.dtype, jnp.integer):
        return jnp.sum(found != before)
    return jnp.sum(jnp.abs(found - before) > TURN)


def balanced(setting: Setting, *models: Params) -> list[Params]:
    """The models in their balanced gauges, without derivatives."""
    held = [with_arrays(params, jax.lax.stop_gradient(arrays_of(params))) for params in models]
    return [act(setting.spec, gauge, params) for gauge, params in zip(setting.gauges, held, strict=True)]


def midpoint_loss(
    loss: Callable[[Params, Key], Scalar], params_a: Params, params_b: Params, key: Key
) -> Float[Array, ""]:
    """The loss half way between two models."""
    return jnp.asarray(loss(midpoint(params_a, params_b), key))


def midpoint(params_a: Params, params_b: Params) -> Params:
    """Half way between two trees; leaves that are not floating or complex arrays are those of a."""
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
