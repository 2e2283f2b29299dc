"""The best element of one group: exact if its gain is linear, an ascent if the group moves an array on two axes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.arrays import multiply
from geojax.symmetry.ascent.kinds import DISCRETE, best, coordinates, matrix, score

MAX_RELAXED_STEPS = 20
"""Most Frank-Wolfe steps through the convex hull of a group."""


class Quadratic(NamedTuple):
    """The gain <a, b moved along all of ``axes`` at once>, one for each index of the ``batch`` axes.

    Signs multiply on the axes in ``signed``.
    """

    a: Array
    b: Array
    batch: tuple[int, ...]
    axes: tuple[int, ...]
    signed: tuple[int, ...]


def climb(
    kind: str, gains: Float[Array, "*p n k"], quadratics: Sequence[Quadratic], current: Array
) -> tuple[Array, Float[Array, "*p"], Float[Array, ""]]:
    """An element for each index p that is no worse than the current one; the best one if all gains are linear.

    Maximises  f(P) = sum_ij gains[i, j] P[i, j] + sum over quadratics of <a, P...P b>  over the elements P of a
    group of the given kind, in coordinates.

    If there are quadratic terms: Frank-Wolfe with exact line search over the convex hull of the group, from the
    current element, and then the nearest element. The better of that element and of the one after the first linear
    step is taken, if f rises beyond rounding.

    Returns:
        The elements, f of each, and the total rise: zero if nothing moved, NaN if f is not finite.

    References: [Vogelstein2015]
    """
    if not quadratics:
        candidate = best(kind, gains)
        return _accept(kind, candidate, current, score(kind, gains, candidate), score(kind, gains, current))
    value = _value(kind, gains, quadratics)
    start = coordinates(kind, current, gains.dtype)
    linear, relaxed = _frank_wolfe(kind, value, start)
    candidates = [linear, best(kind, relaxed)]
    values = [value(coordinates(kind, element, gains.dtype)) for element in candidates]
    take_second = values[1] > values[0]
    candidate = jnp.where(_broadcast(take_second, current), *candidates[::-1])
    after = jnp.where(take_second, values[1], values[0])
    return _accept(kind, candidate, current, after[..., None], value(start)[..., None])


def _accept(
    kind: str, candidate: Array, current: Array, after: Float[Array, "*p k"], before: Float[Array, "*p k"]
) -> tuple[Array, Float[Array, "*p"], Float[Array, ""]]:
    """Takes the candidate if the sum of its scores is larger by more than a threshold.

    The threshold is the rounding error of the sum. For orthogonal elements, whose ascent could go on for ever with
    ever smaller rises, it is eps^(3/4) of the sum.
    """
    eps = jnp.finfo(after.dtype).eps
    rise = jnp.sum(after - before, axis=-1)
    relative = 4 * eps if kind in DISCRETE else eps**0.75
    better = rise > relative * jnp.sum(jnp.abs(after) + jnp.abs(before), axis=-1)
    chosen = jnp.where(_broadcast(better, current), candidate, current)
    value = jnp.where(better, jnp.sum(after, axis=-1), jnp.sum(before, axis=-1))
    gain = jnp.where(jnp.isfinite(rise), jnp.where(better, rise, 0), jnp.nan)
    return chosen, value, jnp.sum(gain)


def _broadcast(flags: Array, like: Array) -> Array:
    """Flags [p...] with axes of length 1 behind them, as many as ``like`` has dimensions."""
    return jnp.reshape(flags, flags.shape + (1,) * (like.ndim - flags.ndim))


def _value(kind: str, gains: Array, quadratics: Sequence[Quadratic]) -> Callable[[Array], Float[Array, "*p"]]:
    """The objective f as a function of coordinates."""

    def value(soft: Float[Array, "*p n k"]) -> Float[Array, "*p"]:
        total = jnp.sum(gains * soft, axis=(-2, -1))
        for a, b, batch, axes, signed in quadratics:
            letters = list(range(a.ndim))
            moved = b
            for axis in axes:
                moved = multiply(moved, axis, batch, matrix(kind, soft, axis in signed))
            product = jnp.einsum(jnp.conj(a), letters, moved, letters, list(batch), precision="highest")
            total += jnp.real(product)
        return total

    return value


def _frank_wolfe(
    kind: str, value: Callable[[Array], Array], start: Float[Array, "*p n k"]
) -> tuple[Array, Array]:
    """The element of the first linear step, and the coordinates at which Frank-Wolfe ends."""

    def direction(soft: Array) -> tuple[Array, Array, Array, Array]:
        here, pull = jax.vjp(value, soft)
        (gradient,) = pull(jnp.ones_like(here))
        vertex = best(kind, gradient)
        towards = coordinates(kind, vertex, soft.dtype) - soft
        return vertex, towards, jnp.sum(gradient * towards, axis=(-2, -1)), here

    def advance(state):
        soft, _, count = state
        _, towards, slope, here = direction(soft)
        curvature = value(soft + towards) - here - slope
        peak = jnp.clip(-slope / (2 * jnp.where(curvature < 0, curvature, -1)), 0, 1)
        length = jnp.where(curvature < 0, peak, 1)
        rounding = jnp.finfo(soft.dtype).eps * soft.shape[-1] * jnp.abs(here)
        length = jnp.where(slope > rounding, length, 0)
        return soft + length[..., None, None] * towards, jnp.any(length > 0), count + 1

    first = direction(start)[0]
    soft, _, _ = jax.lax.while_loop(
        lambda state: state[1] & (state[2] < MAX_RELAXED_STEPS), advance, (start, jnp.asarray(True), 0)
    )
    return first, soft
