"""Elements of one group whose gain is linear, or quadratic where an array carries the group on two axes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.arrays import multiply
from geojax.symmetry.ascent.compact import DISCRETE, best, coordinates, matrix, score

MAX_RELAXED_STEPS = 20
"""Most steps through the interior of the convex hull of a group."""


class Quadratic(NamedTuple):
    """The gain <a, b moved along every axis of ``axes`` at once>, one for each index of the ``batch`` axes;
    signs count on the axes in ``signed``.
    """

    a: Array
    b: Array
    batch: tuple[int, ...]
    axes: tuple[int, ...]
    signed: tuple[int, ...]


def climb(
    kind: str, gains: Float[Array, "*p n k"], quadratics: Sequence[Quadratic], current: Array
) -> tuple[Array, Float[Array, "*p"], Float[Array, ""]]:
    """An element for each index p that is no worse than the current one; the best where the gain is linear.

    Maximises  f(P) = sum_ij gains[i, j] P[i, j] + sum over quadratics of <a, P...P b>  over the elements P of a
    group of the given kind, in coordinates.

    With quadratic terms: Frank-Wolfe with exact line search over the convex hull of the group, from the current
    element, then the nearest element; that one or the first linear step is taken, whichever is better, and only
    where f rises beyond rounding.

    Returns:
        The elements, f there, and the total rise: zero where nothing moved, NaN where f is not finite.

    References: [Vogelstein2015]
    """
    if not quadratics:
        found = best(kind, gains)
        return _accept(kind, found, current, score(kind, gains, found), score(kind, gains, current))
    value = _value(kind, gains, quadratics)
    start = coordinates(kind, current, gains.dtype)
    linear, relaxed = _frank_wolfe(kind, value, start)
    candidates = [linear, best(kind, relaxed)]
    reached = [value(coordinates(kind, element, gains.dtype)) for element in candidates]
    second = reached[1] > reached[0]
    found = jnp.where(
        jnp.reshape(second, second.shape + (1,) * (current.ndim - second.ndim)), *candidates[::-1]
    )
    top = jnp.where(second, reached[1], reached[0])
    return _accept(kind, found, current, top[..., None], value(start)[..., None])


def _accept(
    kind: str, found: Array, current: Array, after: Float[Array, "*p k"], before: Float[Array, "*p k"]
):
    """Takes the better element where the sum of scores rises by more than what counts as nothing.

    That is the rounding error of the sum; rotations, which could go on for ever, are content with a rise of eps^(3/4)
    of it: half of its digits, and half as many again.
    """
    eps = jnp.finfo(after.dtype).eps
    rise = jnp.sum(after - before, axis=-1)
    nothing = (4 * eps if kind in DISCRETE else eps**0.75) * jnp.sum(
        jnp.abs(after) + jnp.abs(before), axis=-1
    )
    better = rise > nothing
    chosen = jnp.where(
        jnp.reshape(better, better.shape + (1,) * (current.ndim - better.ndim)), found, current
    )
    value = jnp.where(better, jnp.sum(after, axis=-1), jnp.sum(before, axis=-1))
    gain = jnp.where(jnp.isfinite(rise), jnp.where(better, rise, 0), jnp.nan)
    return chosen, value, jnp.sum(gain)


def _value(kind: str, gains: Array, quadratics: Sequence[Quadratic]) -> Callable[[Array], Float[Array, "*p"]]:
    """F as a function of coordinates."""

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
    """The first linear step, and the coordinates where climbing by exact line search ends."""

    def direction(soft: Array) -> tuple[Array, Array, Array, Array]:
        here, pull = jax.vjp(value, soft)
        (slope,) = pull(jnp.ones_like(here))
        vertex = best(kind, slope)
        towards = coordinates(kind, vertex, soft.dtype) - soft
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
