"""Assignments whose gain is linear, or quadratic where an array carries the permutation on two axes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.symmetry.relaxed import maximum_assignment, mix

MAX_RELAXED_STEPS = 20
"""Most steps through the interior of the doubly stochastic matrices."""


class Quadratic(NamedTuple):
    """The gain <a, b moved along every axis of ``axes`` at once>, one for each index of the ``batch``
    axes.
    """

    a: Array
    b: Array
    batch: tuple[int, ...]
    axes: tuple[int, ...]


def climb(
    gains: Float[Array, "*p n n"], quadratics: Sequence[Quadratic], current: Int[Array, "*p n"]
) -> tuple[Int[Array, "*p n"], Float[Array, "*p"], Float[Array, ""]]:
    """A permutation for each index p that is no worse than the current one; the best where the gain is
    linear.

    Maximises  f(P) = sum_ij gains[i, j] P[i, j] + sum over quadratics of <a, P...P b>.

    With quadratic terms: Frank-Wolfe with exact line search over the doubly stochastic matrices, from the
    current permutation, then the nearest permutation; that one or the first linear step is taken, whichever
    is better, and only where f rises beyond rounding.

    Returns:
        The permutations, f there, and the total rise: zero where nothing moved, NaN where f is not finite.

    References: [Vogelstein2015]
    """
    if not quadratics:
        best = maximum_assignment(gains)
        scores = lambda perm: _pick(gains, perm)  # noqa: E731
        return _accept(best, current, scores(best), scores(current))
    value = _value(gains, quadratics)
    linear, relaxed = _frank_wolfe(value, _one_hot(current, gains.dtype))
    candidates = [linear, maximum_assignment(relaxed)]
    reached = [value(_one_hot(perm, gains.dtype)) for perm in candidates]
    second = reached[1] > reached[0]
    best = jnp.where(second[..., None], candidates[1], candidates[0])
    top = jnp.where(second, reached[1], reached[0])
    return _accept(best, current, top[..., None], value(_one_hot(current, gains.dtype))[..., None])


def _accept(best, current, after: Float[Array, "*p k"], before: Float[Array, "*p k"]):
    """Takes the better permutation where the sum of scores rises by more than its rounding error."""
    rise = jnp.sum(after - before, axis=-1)
    rounding = 4 * jnp.finfo(after.dtype).eps * jnp.sum(jnp.abs(after) + jnp.abs(before), axis=-1)
    better = rise > rounding
    chosen = jnp.where(better[..., None], best, current)
    value = jnp.where(better, jnp.sum(after, axis=-1), jnp.sum(before, axis=-1))
    gain = jnp.where(jnp.isfinite(rise), jnp.where(better, rise, 0), jnp.nan)
    return chosen, value, jnp.sum(gain)


def _pick(gains: Float[Array, "*p n n"], perm: Int[Array, "*p n"]) -> Float[Array, "*p n"]:
    return jnp.squeeze(jnp.take_along_axis(gains, perm[..., None], axis=-1, mode="clip"), -1)


def _one_hot(perm: Int[Array, "*p n"], dtype) -> Float[Array, "*p n n"]:
    return jax.nn.one_hot(perm, perm.shape[-1], dtype=dtype)


def _value(gains: Array, quadratics: Sequence[Quadratic]) -> Callable[[Array], Float[Array, "*p"]]:
    """F as a function of soft permutations."""

    def value(soft: Float[Array, "*p n n"]) -> Float[Array, "*p"]:
        total = jnp.sum(gains * soft, axis=(-2, -1))
        for a, b, batch, axes in quadratics:
            letters = list(range(a.ndim))
            moved = b
            for axis in axes:
                moved = mix(moved, axis, batch, soft)
            product = jnp.einsum(jnp.conj(a), letters, moved, letters, list(batch), precision="highest")
            total += jnp.real(product)
        return total

    return value


def _frank_wolfe(value: Callable[[Array], Array], start: Float[Array, "*p n n"]) -> tuple[Array, Array]:
    """The first linear step, and the doubly stochastic matrix where climbing by exact line search ends."""

    def direction(soft: Array) -> tuple[Array, Array, Array, Array]:
        here, pull = jax.vjp(value, soft)
        (slope,) = pull(jnp.ones_like(here))
        vertex = maximum_assignment(slope)
        towards = _one_hot(vertex, soft.dtype) - soft
        return vertex, towards, jnp.sum(slope * towards, axis=(-2, -1)), here

    def advance(state):
        soft, _, count = state
        _, towards, slope, here = direction(soft)
        curvature = value(soft + towards) - here - slope
        length = jnp.where(
            curvature < 0, jnp.clip(-slope / (2 * jnp.where(curvature < 0, curvature, -1)), 0, 1), 1
        )
        rounding = jnp.finfo(soft.dtype).eps * soft.shape[-1] * jnp.abs(here)
        length = jnp.where(slope > rounding, length, 0)
        return soft + length[..., None, None] * towards, jnp.any(length > 0), count + 1

    first = direction(start)[0]
    soft, _, _ = jax.lax.while_loop(
        lambda state: state[1] & (state[2] < MAX_RELAXED_STEPS), advance, (start, jnp.asarray(True), 0)
    )
    return first, soft
