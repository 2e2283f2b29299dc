"""The worst expectation over a Wasserstein ball."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax.transport.measures import arrays, number
from geojax.typing import Scalar

HALVINGS = 128  # of the interval of multipliers: enough for every bit of a double


@struct
class WorstCase:
    """The worst `value`, the `weights` [s] that attain it, and the `multiplier` of the radius, the value's slope."""

    value: Float[Array, ""]
    weights: Float[Array, " s"]
    multiplier: Float[Array, ""]


def wasserstein_ball_worst_case(
    v: Float[Array, " s"], p: Float[Array, " s"], cost_matrix: Float[Array, "s s"], *, radius: Scalar
) -> WorstCase:
    """Smallest expectation over all measures within a transport distance.

    min <q, v>  over probability vectors q with W(q, p) <= radius, where W is the optimal transport cost. By duality it
    is  max over lambda >= 0 of  -lambda radius + sum_s p_s min_t (v_t + lambda C_st),  concave and piecewise linear in
    lambda; bisection gives the maximum. The robust Bellman backup of a Markov decision process is its `vmap` over
    states and actions.

    Args:
        v: Values, [s].
        p: Centre of the ball, [s], nonnegative, of sum 1.
        cost_matrix: Cost of moving mass from row to column, [s, s], nonnegative, zero on the diagonal.
        radius: Radius of the ball, >= 0, in units of cost.

    Returns:
        WorstCase, up to rounding. NaN if the radius is negative or less than the cost of the cheapest transport,
        which is 0 for a zero diagonal.

    Raises:
        ValueError: At trace time, if the shapes disagree or there is no state.
        TypeError: At trace time, if an argument is not real.

    Differentiation: `value`: envelope, in all arguments. `weights`, `multiplier`: none (piecewise constant).

    Complexity: O(s^2), 128 times.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import wasserstein_ball_worst_case
        >>> x = jnp.array([0.0, 1.0, 2.0])
        >>> r = wasserstein_ball_worst_case(x, jnp.array([0.0, 0.0, 1.0]), abs(x[:, None] - x), radius=0.5)
        >>> round(float(r.value), 4)
        1.5

    References: [Zouitine2024]; [Esfahani2018].
    """
    where = "wasserstein_ball_worst_case"
    v, p, cost_matrix = arrays(where, v=v, p=p, cost_matrix=cost_matrix)
    if checks.shapes(where, v=(v, "s"), p=(p, "s"), cost_matrix=(cost_matrix, "s s"))["s"] == 0:
        raise ValueError(f"{where}: v has shape [0]; expected at least one state. Leave empty problems out.")
    data = (v, p, cost_matrix, number(where, "radius", radius, v.dtype))
    v, p, cost_matrix, limit = vary_with(data, data)
    choice, multiplier, possible = _worst_moves(*jax.lax.stop_gradient((v, p, cost_matrix, limit)))
    # This is stationary in the multiplier and the shares, so its derivatives with both held fixed are those of the
    # minimum.
    value = p @ jnp.sum(choice * (v + multiplier * cost_matrix), axis=1) - multiplier * limit
    weights = jax.lax.stop_gradient(p) @ choice
    missing = jnp.where(possible, 0, jnp.nan).astype(v.dtype)
    return WorstCase(value + missing, weights + missing, multiplier + missing)


class _End(NamedTuple):
    """An end of the interval of multipliers, and the target of each state's mass at that multiplier."""

    multiplier: Float[Array, ""]
    choice: Float[Array, "s s"]


def _worst_moves(v: Array, p: Array, costs: Array, radius: Array) -> tuple[Array, Array, Array]:
    """The share of mass moved from each state to each other, the multiplier, and whether the radius allows any move."""

    def moves(multiplier: Array) -> Array:
        return jax.nn.one_hot(jnp.argmin(v + multiplier * costs, axis=1), v.size, dtype=v.dtype)

    def spent(choice: Array) -> Array:
        return p @ jnp.sum(choice * costs, axis=1)

    # Above this multiplier every state moves its mass to the cheapest target.
    cheapest = jnp.min(costs, axis=1, keepdims=True)
    gap = jnp.min(jnp.where(costs > cheapest, costs - cheapest, jnp.inf))
    highest = jnp.where(jnp.isfinite(gap), 2 * (jnp.max(v) - jnp.min(v)) / gap, 0) + 1

    def halve(_: Array, ends: tuple[_End, _End]) -> tuple[_End, _End]:
        low, high = ends
        middle = (low.multiplier + high.multiplier) / 2
        choice = moves(middle)
        # The moves are stored with the multiplier: computed again at the end, rounding could change them.
        new, enough = _End(middle, choice), spent(choice) <= radius
        lower = jax.tree.map(lambda x, y: jnp.where(enough, x, y), low, new)
        return lower, jax.tree.map(lambda x, y: jnp.where(enough, x, y), new, high)

    zero = 0 * highest
    first = _End(zero, moves(zero)), _End(highest, moves(highest))
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, first)
    free = spent(first[0].choice) <= radius
    far = jnp.where(free, first[0].choice, low.choice)
    near = jnp.where(free, first[0].choice, high.choice)
    # A mixture of the two moves costs exactly the radius; both are optimal at the multiplier, up to rounding.
    difference = spent(far) - spent(near)
    share = jnp.where(difference > 0, (radius - spent(near)) / jnp.where(difference > 0, difference, 1), 0)
    finite = jnp.all(jnp.isfinite(v)) & jnp.all(jnp.isfinite(costs)) & jnp.all(jnp.isfinite(p))
    possible = (spent(near) <= radius) & (radius >= 0) & finite
    return share * far + (1 - share) * near, jnp.where(free, 0, high.multiplier), possible
