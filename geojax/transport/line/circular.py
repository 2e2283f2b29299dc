"""Transport on the circle: exact, as transport on the line after the best cut."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax.transport.line.sorting import argsort, ascending
from geojax.transport.line.univariate import line_points, mean_norm, powers
from geojax.transport.measures import exponent, number
from geojax.typing import Scalar

LARGEST = 1 << 29  # of the common denominator of the weights


def circular_wasserstein(
    x: Float[Array, " n"], y: Float[Array, " m"], *, p: Scalar = 2, period: Scalar = 1.0
) -> Float[Array, ""]:
    """Wasserstein distance W_p between two uniform measures on a circle, exact (the distance, not its p-th power).

    W_p^p = min_s int_0^1 |F^-1(t) - G^-1(t - s)|^p dt,  where F^-1 and G^-1 are the quantile functions, continued by
    F^-1(t + 1) = F^-1(t) + period. The integral is convex in s, and linear between the shifts at which jumps of the
    two functions coincide; bisection gives the best of those shifts.

    Args:
        x: Points, [n], each of weight 1 / n; taken modulo the period.
        y: Points, [m], each of weight 1 / m.
        p: Exponent, finite, >= 1. A Python integer is fastest.
        period: Length of the circle, > 0: 1 for turns, 2 pi for radians.

    Returns:
        Scalar in units of x. NaN if a point is not finite, p < 1 or period <= 0.

    Raises:
        ValueError: At trace time, if x or y is not a vector or is empty, or the least common multiple of n and m is
            above 2^29.
        TypeError: At trace time, if an argument is not real.

    Differentiation: envelope in x, y, p and period; if the best cut is not unique, or points tie, one of the
        generalised derivatives. 0 between equal measures.

    Complexity: O((n + m) log(n m)) time, O(n + m) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import circular_wasserstein
        >>> round(float(circular_wasserstein(jnp.array([0.1, 0.3]), jnp.array([0.9, 0.1]))), 3)
        0.2

    References: [Delon2010].
    """
    x, y = line_points("circular_wasserstein", x=x, y=y)
    p = exponent("circular_wasserstein", p)
    n, m = x.size, y.size
    units = math.lcm(n, m)
    if units > LARGEST:
        raise ValueError(
            f"circular_wasserstein: x and y have {n} and {m} points, whose least common multiple {units} is above "
            "2^29; expected sizes with a larger common factor. Drop a few points of the larger set."
        )
    length = number("circular_wasserstein", "period", period, x.dtype)
    positive = length > 0
    length = jnp.where(positive, length, 1)
    x, y = ascending(jnp.mod(x, length)), ascending(jnp.mod(y, length))
    shift = _best_shift(*jax.lax.stop_gradient((x, y, length)), p, units)
    gaps, widths = _gaps(x, y, length, shift, units)
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
