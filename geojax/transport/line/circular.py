"""Transport on the circle: exact, as transport on the line after the best cut."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.transport.line.sorting import argsort, ascending
from geojax.transport.line.univariate import coupled, line_points, mean_norm, powers, weighted
from geojax.transport.measures import exponent, number
from geojax.typing import Scalar

LARGEST = 1 << 29  # of the common denominator of equal weights, up to which cuts are counted in integers


def circular_wasserstein(
    x: Float[Array, " n"],
    y: Float[Array, " m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    p: Scalar = 2,
    period: Scalar = 1.0,
) -> Float[Array, ""]:
    """Wasserstein distance W_p between two measures on a circle, exact (the distance, not its p-th power).

    W_p^p = min_s int_0^1 |F^-1(t) - G^-1(t - s)|^p dt,  where F^-1 and G^-1 are the quantile functions, continued by
    F^-1(t + 1) = F^-1(t) + period. The integral is convex in s, and linear between the shifts at which jumps of the
    two functions coincide; bisection gives the best of those shifts.

    Args:
        x: Points, [n], in any order; taken modulo the period.
        y: Points, [m], in the same units.
        a: Weights of x, [n], nonnegative. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        p: Exponent, finite, >= 1. A Python integer is fastest.
        period: Length of the circle, > 0: 1 for turns, 2 pi for radians.

    Returns:
        Scalar in units of x. NaN if a point is not finite, a weight is negative, the sums of the weights differ by
        more than the rounding of the less precise of the two dtypes, p < 1 or period <= 0.

    Raises:
        ValueError: At trace time, if x or y is not a vector or is empty, or the shapes disagree.
        TypeError: At trace time, if an argument is not real.

    Differentiation: envelope in x, y, a, b, p and period; if the best cut is not unique, or points tie, one of the
        generalised derivatives. 0 between equal measures. a and b may change only so that their sums stay fixed; the
        gradient is defined for such changes.

    Complexity: O((n + m) log(n m)) time without weights and with, where the bisection runs to the last bit of the
        shift, O((n + m) log n) times the bits of the dtype; O(n + m) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import circular_wasserstein
        >>> round(float(circular_wasserstein(jnp.array([0.1, 0.3]), jnp.array([0.9, 0.1]))), 3)
        0.2

    References: [Delon2010].
    """
    where = "circular_wasserstein"
    x, y = line_points(where, x=x, y=y)
    p = exponent(where, p)
    length = number(where, "period", period, x.dtype)
    positive = length > 0
    length = jnp.where(positive, length, 1)
    units = math.lcm(x.size, y.size)
    if a is None and b is None and units <= LARGEST:
        x, y = ascending(jnp.mod(x, length)), ascending(jnp.mod(y, length))
        shift = _best_shift(*jax.lax.stop_gradient((x, y, length)), p, units)
        gaps, widths = _gaps(x, y, length, shift, units)
    else:
        x, y, a, b, mass = weighted(where, x, y, a, b)
        length = length.astype(x.dtype)
        x, y = jnp.mod(x, length), jnp.mod(y, length)
        by_x, by_y = argsort(x), argsort(y)
        x, y, a, b = x[by_x], y[by_y], a[by_x], b[by_y]
        i, j = _best_cut(*jax.lax.stop_gradient((x, y, a, b, mass, length)), p)
        i, j = i + jnp.arange(x.size, dtype=jnp.int32), j + jnp.arange(y.size, dtype=jnp.int32)
        x, y = continued(x, i, length), continued(y, j, length)
        gaps, widths = coupled(x, y, a[i % a.size], b[j % b.size], mass)
    return jnp.where((jnp.asarray(p) >= 1) & positive, mean_norm(gaps, widths, p), jnp.nan)


def continued(points: Float[Array, " n"], index: Int[Array, " k"], length: Array) -> Float[Array, " k"]:
    """The sorted points at any integer index: points[i + n] = points[i] + length."""
    n = points.size
    return points[index % n] + length * (index // n)


def _best_shift(x: Array, y: Array, length: Array, p: Scalar, units: int) -> Int[Array, ""]:
    """The smallest shift k of y, in units of 1 / `units` of the mass, from which the cost does not fall.

    Raising k by one replaces y_(j-1) by y_j on the unit of mass just before the place where y_j begins.
    """
    step_x, step_y = units // x.size, units // y.size
    j = jnp.arange(y.size, dtype=jnp.int32)
    y_here, y_before = y, continued(y, j - 1, length)

    def rises(k: Array) -> Array:
        at = continued(x, (j * step_y + k) // step_x, length)
        return jnp.sum(powers(at - y_before, p) - powers(at - y_here, p)) >= 0

    def halve(_, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        rising = rises(middle)
        return jnp.where(rising, low, middle + 1), jnp.where(rising, middle, high)

    # Inside shard_map the loop's carry must vary over the mesh like everything that it meets.
    zero = jnp.zeros_like(x[0] + y[0] + length, dtype=jnp.int32)
    return jax.lax.fori_loop(0, (2 * units).bit_length(), halve, (zero - units, zero + units))[1]


def _gaps(x: Array, y: Array, length: Array, shift: Array, units: int) -> tuple[Array, Array]:
    """F^-1 - G^-1 on the pieces on which both are constant, and the lengths of the pieces."""
    step_x, step_y = units // x.size, units // y.size
    i, j = jnp.arange(x.size, dtype=jnp.int32), jnp.arange(y.size, dtype=jnp.int32)
    if x.size == y.size:
        return x - continued(y, i - shift, length), jnp.full((), 1 / x.size, x.dtype)
    ends = jnp.concatenate([(i + 1) * step_x, (j * step_y + shift - 1) % units + 1])
    ends = ends[argsort(ends)]
    widths = jnp.diff(ends, prepend=0).astype(x.dtype) / units
    gaps = x[(ends - 1) // step_x] - continued(y, (ends - 1 - shift) // step_y, length)
    return gaps, widths


def _best_cut(
    x: Array, y: Array, a: Array, b: Array, mass: Array, length: Array, p: Scalar
) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """The points of x and of y that follow the best cut: from there both are coupled in their order.

    The cost is convex in the shift s of y, so bisection of its slope finds the best s to the last bit. Between the
    shifts at which a jump of x meets one of y the cost is linear, so the nearest of those is as good.
    """
    ends_x, ends_y = (jnp.minimum(jnp.cumsum(w), mass).at[-1].set(mass) for w in (a, b))
    before = continued(y, jnp.arange(y.size, dtype=jnp.int32) - 1, length)
    starts_y = ends_y - b

    def split(t: Array) -> tuple[Array, Array]:
        """A place t as whole turns and a rest in [0, mass)."""
        turns = jnp.floor(t / mass)
        return turns.astype(jnp.int32), jnp.clip(t - turns * mass, 0, mass)

    def rises(s: Array) -> Array:
        turns, rest = split(starts_y + s)
        place = jnp.minimum(jnp.searchsorted(ends_x, rest, side="right"), x.size - 1)
        at = x[place] + turns * length
        return jnp.sum(powers(at - before, p) - powers(at - y, p)) >= 0

    def halve(_, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) / 2
        rising = rises(middle)
        return jnp.where(rising, low, middle), jnp.where(rising, middle, high)

    zero = 0 * (
        x[0] + y[0] + length + mass
    )  # inside shard_map, varies over the mesh like everything that it meets
    bits = jnp.finfo(x.dtype).nmant + 3
    _, s = jax.lax.fori_loop(0, bits, halve, (zero - mass, zero + mass))
    turns, rest = split(ends_y + s)
    place = jnp.minimum(jnp.searchsorted(ends_x, rest, side="right"), x.size - 1)
    # The jump of x nearest to that of y_j lies at the end of point `place`, or at its start.
    start = jnp.where(place > 0, ends_x[place - 1], 0)
    late = ends_x[place] - rest < rest - start
    j = jnp.argmin(jnp.minimum(ends_x[place] - rest, rest - start)).astype(jnp.int32)
    i = place[j] + late[j] + x.size * turns[j]
    return i.astype(jnp.int32), j + 1
