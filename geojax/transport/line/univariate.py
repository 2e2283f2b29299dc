"""Transport on the line: exact, by sorting."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.transport.line.sorting import argsort, ascending
from geojax.transport.measures import arrays, coarsest_ulp, exponent, with_weights
from geojax.typing import Scalar


def wasserstein_1d(
    x: Float[Array, " n"],
    y: Float[Array, " m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    p: Scalar = 2,
) -> Float[Array, ""]:
    """Wasserstein distance W_p between two measures on the line, exact (the distance, not its p-th power).

    W_p = (int_0^1 |F^-1(t) - G^-1(t)|^p dt)^(1/p),  F^-1 and G^-1 the quantile functions.

    Args:
        x: Points, [n], in any order.
        y: Points, [m], in the same units.
        a: Weights of x, [n], nonnegative. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        p: Exponent, finite, >= 1. A Python integer is fastest.

    Returns:
        Scalar in units of x. NaN if a point is NaN or infinite, a weight is negative, the sums of the weights differ by
        more than the rounding of the less precise of the two dtypes, or p < 1.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact in x, y, a, b and p wherever the distance is smooth; where measures are equal or points tie,
        one of the generalised derivatives, finite (0 between equal measures). a and b may change only so that their
        sums stay fixed; the gradient is defined for such changes.

    Complexity: O((n + m) log(n + m)) time, O(n + m) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import wasserstein_1d
        >>> float(wasserstein_1d(jnp.array([3.0, 0.0]), jnp.array([1.0, 4.0]), p=1))
        1.0

    References: [Villani2003], Thm. 2.18; [Peyre2019], Sec. 2.6.
    """
    x, y = line_points("wasserstein_1d", x=x, y=y)
    p = exponent("wasserstein_1d", p)
    if a is None and b is None:
        gaps, widths = uniform_gaps(x, y)
    else:
        gaps, widths = weighted_gaps("wasserstein_1d", x, y, a, b)
    return jnp.where(jnp.asarray(p) >= 1, mean_norm(gaps, widths, p), jnp.nan)


def line_points(where: str, **points: Array) -> tuple[Array, ...]:
    """Check point sets on the line: not empty, one floating dtype of at least single precision."""
    checks.no_explicit_axes(where, points)
    converted = arrays(where, **points)
    for name, array in zip(points, converted):
        if checks.shapes(where, **{name: (array, "n")})["n"] == 0:
            raise ValueError(
                f"{where}: {name} has shape [0]; expected at least one point. An empty measure has no distance; "
                "leave it out."
            )
    dtype = jnp.promote_types(converted[0].dtype, jnp.float32)
    return tuple(array.astype(dtype) for array in converted)


def uniform_gaps(x: Float[Array, " n"], y: Float[Array, " m"]) -> tuple[Array, Array]:
    """The gaps F^-1 - G^-1 of two uniform measures on the pieces where both are constant, and the pieces' lengths."""
    n, m = x.size, y.size
    x, y = ascending(x), ascending(y)
    if n == m:
        return x - y, jnp.full((), 1 / n, x.dtype)
    # The pieces end at the multiples of 1/n and of 1/m: in units of 1/(n m), at those of m and of n.
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(ends, prepend=0) / (n * m)
    return x[(ends - 1) // m] - y[(ends - 1) // n], jnp.asarray(widths, x.dtype)


def weighted_gaps(
    where: str, x: Float[Array, " n"], y: Float[Array, " m"], a: Array | None, b: Array | None
) -> tuple[Array, Array]:
    """The same for weighted measures; NaN if a weight is negative or the sums of the weights differ."""
    x, y, a, b, mass = weighted(where, x, y, a, b)
    by_x, by_y = argsort(x), argsort(y)
    return coupled(x[by_x], y[by_y], a[by_x], b[by_y], mass)


def weighted(
    where: str, x: Float[Array, " n"], y: Float[Array, " m"], a: Array | None, b: Array | None
) -> tuple[Array, Array, Array, Array, Float[Array, ""]]:
    """Points and weights in one dtype, and the mass; points are NaN if they or the weights are not valid."""
    ulp = coarsest_ulp(x.dtype, a, b)
    x, y, a, b = with_weights(where, a, b, x=(x, "n"), y=(y, "m"))
    mass, mass_b = jnp.sum(a), jnp.sum(b)
    rounding = 4 * (a.size + b.size) * ulp * mass
    weights_valid = jnp.all(a >= 0) & jnp.all(b >= 0) & (mass > 0) & (jnp.abs(mass - mass_b) <= rounding)
    valid = weights_valid & jnp.all(jnp.isfinite(x)) & jnp.all(jnp.isfinite(y))
    return jnp.where(valid, x, jnp.nan), y, a, b, mass


def coupled(x: Array, y: Array, a: Array, b: Array, mass: Array) -> tuple[Array, Array]:
    """The gaps x_i - y_j of the coupling that keeps the order in which points are given, and its masses."""
    ends = jnp.concatenate([jnp.minimum(jnp.cumsum(w), mass) for w in (a, b)])
    order = argsort(ends)
    ends = ends[order]
    starts = jnp.concatenate([jnp.zeros_like(ends[:1]), ends[:-1]])
    # A piece belongs to the first point whose weight is not used up by earlier pieces. Of several pieces with one end
    # only the first has a positive length.
    of_x = order < x.size
    place_x = jnp.minimum(jnp.cumsum(of_x) - of_x, x.size - 1)
    place_y = jnp.minimum(jnp.cumsum(~of_x) - ~of_x, y.size - 1)
    return x[place_x] - y[place_y], ends - starts


def powers(gaps: Array, p: Scalar) -> Array:
    """|gaps|^p, with derivative 0 at 0; fastest for a Python integer p."""
    if isinstance(p, int):
        return jnp.square(gaps) if p == 2 else jax.lax.integer_pow(jnp.abs(gaps), p)
    return jnp.power(jnp.abs(gaps), jnp.asarray(p, gaps.dtype))


def mean_norm(gaps: Array, widths: Array, p: Scalar) -> Float[Array, ""]:
    """(sum widths |gaps|^p)^(1/p), with derivative 0 at 0, computed without overflow or underflow."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(gaps)))
    scale = jnp.where(largest > 0, largest, 1)
    total = jnp.sum(widths * powers(gaps / scale, p))
    positive = total > 0
    root = jnp.power(jnp.where(positive, total, 1), 1 / jnp.asarray(p, gaps.dtype))
    return scale * jnp.where(positive, root, jnp.where(total == 0, 0, jnp.nan))
