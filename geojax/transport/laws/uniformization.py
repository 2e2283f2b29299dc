"""The triangular map that makes a sample uniform, from empirical conditional distribution functions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once


@rounded_once
def uniform_transform(
    x: Float[Array, "n d"], reference: Float[Array, "m d"] | None = None, *, num_bins: int
) -> Float[Array, "n d"]:
    """Knothe-Rosenblatt map onto the unit cube, approximate: from empirical conditional distribution functions.

    u_1 = F_1(x_1), u_j = F_j(x_j | u_1, ..., u_(j-1)), where F_j is the distribution function of the reference points
    in the cell of x: the first j - 1 coordinates of u are divided into num_bins equal intervals each. F has the value
    (k - 1/2) / c at the k-th of c points and is linear between them. The error of the map is O(1 / num_bins) + O(1 /
    sqrt(points in a cell)).

    Args:
        x: Points to map, [n, d].
        reference: Points of the law that the map makes uniform, [m, d]; x itself by default.
        num_bins: Number of intervals of each earlier coordinate; static. 1 maps each coordinate by its own distribution
            function.

    Returns:
        Points in the unit cube, [n, d]. Beyond the reference points of a cell F is constant, and in a cell without
        reference points it is 1/2. NaN if a coordinate of a point, or any of the reference, is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree, a set is empty or num_bins < 1.

    Differentiation: exact within the intervals on which F is linear; 0 at the reference points, and so 0 if x is its
        own reference.

    Complexity: O(n m d) time, O(n m) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import uniform_transform
        >>> uniform_transform(jnp.array([[3.0], [-1.0], [10.0], [4.0]]), num_bins=1)[:, 0].tolist()
        [0.375, 0.125, 0.875, 0.625]

    References: [Rosenblatt1952]; [YuWang2020].
    """
    x, reference = _points("uniform_transform", x, reference, num_bins)
    size = reference.shape[0]
    columns: list[Array] = []
    own: list[Array] = []
    cells, reference_cells = jnp.zeros(x.shape[0], jnp.int32), jnp.zeros(size, jnp.int32)
    for j in range(x.shape[1]):
        columns.append(_distribution(x[:, j], reference[:, j], cells[:, None] == reference_cells))
        own.append(
            _distribution(reference[:, j], reference[:, j], reference_cells[:, None] == reference_cells)
        )
        cells, reference_cells = _refined(cells, reference_cells, columns[-1], own[-1], num_bins)
    unknown = jnp.isnan(x) | jnp.any(jnp.isnan(reference))
    return jnp.where(unknown, jnp.nan, jnp.stack(columns, axis=1))


@rounded_once
def inverse_uniform_transform(
    u: Float[Array, "n d"], reference: Float[Array, "m d"], *, num_bins: int
) -> Float[Array, "n d"]:
    """Inverse of `uniform_transform`, from the unit cube to the law of the reference; approximate, like the transform.

    x_1 = F_1^-1(u_1),  x_j = F_j^-1(u_j | u_1, ..., u_(j-1)),  with the same cells and the same F.

    Args:
        u: Points of the unit cube, [n, d].
        reference: Points of the law to map to, [m, d].
        num_bins: Number of intervals of each earlier coordinate, as in the transform; static.

    Returns:
        Points, [n, d]. Values of u that F does not take give the least or greatest reference point of the cell. NaN
        in a cell without reference points, or if an argument is NaN.

    Raises:
        ValueError: At trace time, if the shapes disagree, a set is empty or num_bins < 1.

    Differentiation: exact within the intervals on which F is linear.

    Complexity: O(n m d) time, O(n m) memory.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport.laws import inverse_uniform_transform, uniform_transform
        >>> x = jnp.array([[3.0, 1.0], [-1.0, 2.0], [10.0, 0.0], [4.0, 7.0]])
        >>> inverse_uniform_transform(uniform_transform(x, num_bins=2), x, num_bins=2).tolist()
        [[3.0, 1.0], [-1.0, 2.0], [10.0, 0.0], [4.0, 7.0]]

    References: [Rosenblatt1952]; [YuWang2020].
    """
    u, reference = _points("inverse_uniform_transform", u, reference, num_bins)
    size = reference.shape[0]
    columns: list[Array] = []
    cells, reference_cells = jnp.zeros(u.shape[0], jnp.int32), jnp.zeros(size, jnp.int32)
    for j in range(u.shape[1]):
        inside = reference_cells[:, None] == reference_cells
        own = _distribution(reference[:, j], reference[:, j], inside)
        mask = cells[:, None] == reference_cells
        # The inverse of F: interpolate from the levels of the points in the cell to the points.
        columns.append(_interpolated(u[:, j], own, reference[:, j], mask))
        cells, reference_cells = _refined(cells, reference_cells, u[:, j], own, num_bins)
    unknown = jnp.isnan(u) | jnp.any(jnp.isnan(reference))
    return jnp.where(unknown, jnp.nan, jnp.stack(columns, axis=1))


def _distribution(at: Array, points: Array, mask: Bool[Array, "n m"]) -> Float[Array, " n"]:
    """F at each place, from the points that its row of the mask selects; 1/2 if it selects none."""
    held = jax.lax.stop_gradient(points)
    count = jnp.sum(mask, axis=1)
    # Equal points have the same level, the mean of their ranks.
    below = jnp.sum(mask & (held < jax.lax.stop_gradient(at)[:, None]), axis=1)
    equal = jnp.sum(mask & (held == jax.lax.stop_gradient(at)[:, None]), axis=1)
    low, high = _neighbours(at, points, mask)
    safe_count = jnp.maximum(count, 1).astype(at.dtype)
    at_equal = (below + equal / 2).astype(at.dtype) / safe_count
    ties_low = jnp.sum(mask & (held == jax.lax.stop_gradient(low)[:, None]), axis=1)
    ties_high = jnp.sum(mask & (held == jax.lax.stop_gradient(high)[:, None]), axis=1)
    level_low = (below - ties_low / 2).astype(at.dtype) / safe_count
    level_high = (below + ties_high / 2).astype(at.dtype) / safe_count
    between = _line(at, low, high, level_low, level_high)
    return jnp.where(count == 0, 0.5, jnp.where(equal > 0, at_equal, between))


def _interpolated(at: Array, knots: Array, values: Array, mask: Bool[Array, "n m"]) -> Float[Array, " n"]:
    """Piecewise linear through the (knots, values) that each row of the mask selects; NaN if it selects none."""
    low, high = _neighbours(at, knots, mask)

    def value_at(knot: Array) -> Array:
        """The value at a knot; ties have one value."""
        place = jnp.argmax(mask & (knots == jax.lax.stop_gradient(knot)[:, None]), axis=1)
        return values[place]

    exact = jnp.any(mask & (knots == at[:, None]), axis=1)
    result = jnp.where(exact, value_at(at), _line(at, low, high, value_at(low), value_at(high)))
    return jnp.where(jnp.any(mask, axis=1), result, jnp.nan)


def _neighbours(at: Array, points: Array, mask: Bool[Array, "n m"]) -> tuple[Array, Array]:
    """The nearest points strictly below and above each place; if one is missing, the other one twice."""
    low = jnp.max(jnp.where(mask & (points < at[:, None]), points, -jnp.inf), axis=1)
    high = jnp.min(jnp.where(mask & (points > at[:, None]), points, jnp.inf), axis=1)
    return jnp.where(low == -jnp.inf, high, low), jnp.where(high == jnp.inf, low, high)


def _line(at: Array, low: Array, high: Array, value_low: Array, value_high: Array) -> Array:
    """The value at a place between two knots; constant beyond the last knot."""
    wide = (high > low) & jnp.isfinite(high - low)
    share = jnp.where(wide, (at - jnp.where(wide, low, 0)) / jnp.where(wide, high - low, 1), 0)
    beyond = jnp.where(at > high, value_low, value_high)
    return jnp.where(wide, value_low + share * (value_high - value_low), beyond)


def _refined(
    cells: Int[Array, " n"],
    reference_cells: Int[Array, " m"],
    levels: Float[Array, " n"],
    reference_levels: Float[Array, " m"],
    num_bins: int,
) -> tuple[Int[Array, " n"], Int[Array, " m"]]:
    """The cells after dividing by one more coordinate, numbered by their first reference point, -1 without one."""

    def interval(level: Array) -> Array:
        return jnp.clip(jnp.floor(jax.lax.stop_gradient(level) * num_bins).astype(jnp.int32), 0, num_bins - 1)

    bins, reference_bins = interval(levels), interval(reference_levels)
    same = (cells[:, None] == reference_cells) & (bins[:, None] == reference_bins)
    among = (reference_cells[:, None] == reference_cells) & (reference_bins[:, None] == reference_bins)
    first = jnp.where(jnp.any(same, axis=1), jnp.argmax(same, axis=1), -1)
    return first.astype(jnp.int32), jnp.argmax(among, axis=1).astype(jnp.int32)


def _points(where: str, x: Array, reference: Array | None, num_bins: int) -> tuple[Array, Array]:
    reference = x if reference is None else reference
    x, reference = checks.floats(where, x=x, reference=reference)
    size = checks.shapes(where, x=(x, "n d"), reference=(reference, "m d"))
    if 0 in size.values():
        raise ValueError(
            f"{where}: the points have shapes {list(x.shape)} and {list(reference.shape)}; expected at least one point "
            "and one coordinate each. Leave empty sets out."
        )
    checks.count(where, "num_bins", num_bins, minimum=1)
    return x, reference
