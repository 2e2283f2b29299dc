"""Sliced Wasserstein distances: transport on the line, averaged over directions."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import safe
from geojax._core.struct import struct
from geojax.transport.line.univariate import powers, uniform_gaps
from geojax.transport.measures import exponent
from geojax.transport.sliced.control_variates import Controlled, clouds
from geojax.typing import Scalar

Control = Callable[[Array, Array, Array], Controlled]


@struct
class SlicedResult:
    """A Monte Carlo average over directions, and its standard error.

    `value` is the p-th power of the sliced distance; `std_error` is NaN for a single direction.
    """

    value: Float[Array, ""]
    std_error: Float[Array, ""]


def sliced_wasserstein(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    projections: Float[Array, "k d"],
    p: Scalar = 2,
    control: Control | None = None,
) -> SlicedResult:
    """Sliced Wasserstein distance to the p-th power, averaged over given directions (squared for p = 2).

    SW_p^p = mean_theta W_p^p(theta . x, theta . y)  for theta uniform on the sphere, estimated by
    mean_i (W_i - beta_i (c_i - mean c)), where W_i is the value along direction i and c a control variate. The
    coefficient beta_i = Cov(W, c) / Var(c) is computed from all directions except i, so that for independent
    directions the estimate has no bias; beta = 0 without a control.

    Args:
        x: Points, [n, d], each of weight 1 / n.
        y: Points, [m, d], each of weight 1 / m.
        projections: Directions as unit rows, [k, d], from `random_directions`, `orthogonal_directions` or
            `simplex_directions`.
        p: Exponent, finite, >= 1. A Python integer is fastest.
        control: control(x, y, projections) -> (values [k], their exact mean over the sphere), such as `lower_control`
            and `upper_control`. It needs k >= 3 to take effect.

    Returns:
        SlicedResult(value, std_error), in units of x to the power p. NaN if a point is not finite or p < 1.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact in x, y, projections and p wherever the value is smooth; where projected points tie, one of
        the generalised derivatives.

    Complexity: O(k (n + m) (d + log(n + m))) time, O(k (n + m)) memory.

    Example:
        >>> import jax
        >>> from geojax.transport import lower_control, random_directions, sliced_wasserstein
        >>> x = jax.random.normal(jax.random.key(0), (50, 3))
        >>> theta = random_directions(jax.random.key(1), (20, 3))
        >>> moved = sliced_wasserstein(x, x + 1, projections=theta, control=lower_control)
        >>> round(float(moved.value), 4), bool(moved.std_error < 1e-4)
        (1.0, True)

    References: [Bonneel2015]; [Nguyen2024] for control variates.
    """
    x, y, projections = clouds("sliced_wasserstein", x, y, projections)
    p = exponent("sliced_wasserstein", p)
    values = projected_powers(x, y, projections, p)
    if control is not None:
        if not callable(control):
            raise TypeError(
                f"sliced_wasserstein: control is {control!r}; expected a function. Write control=lower_control or "
                "control=upper_control."
            )
        values = _controlled(values, *control(x, y, projections))
    k = values.size
    value = jnp.mean(values)
    variance = jnp.sum(jnp.square(values - value)) / (k - 1) if k > 1 else jnp.full_like(value, jnp.nan)
    return SlicedResult(value, safe.sqrt(variance / k))


def projected_powers(x: Array, y: Array, projections: Array, p: Scalar) -> Float[Array, " k"]:
    """W_p^p of the projected clouds along each direction."""

    def along(u: Array, v: Array) -> Array:
        gaps, widths = uniform_gaps(u, v)
        return jnp.sum(widths * powers(gaps, p))

    values = jax.vmap(along)(projections @ x.T, projections @ y.T)
    return jnp.where(jnp.asarray(p) >= 1, values, jnp.nan)


def _controlled(values: Array, c: Array, mean: Array) -> Float[Array, " k"]:
    """The values minus beta_i (c_i - mean c), with beta_i computed from all directions except i.

    Without direction i the sum S_ab of products of k centred numbers is  S_ab - k / (k - 1) a_i b_i.
    """
    k = values.size
    if k < 3:
        return values
    # In these units neither the values nor their derivatives overflow or underflow.
    unit_w, unit_c = _unit(values), _unit(c)
    w, u = (values - jnp.mean(values)) / unit_w, (c - jnp.mean(c)) / unit_c
    factor = k / (k - 1)
    variance = jnp.sum(u * u) - factor * u * u
    covariance = jnp.sum(u * w) - factor * u * w
    varies = variance > k * jnp.finfo(c.dtype).eps ** 2
    slope = jnp.where(varies, covariance / jnp.where(varies, variance, 1), 0)
    return values - unit_w * slope * ((c - mean) / unit_c)


def _unit(numbers: Array) -> Float[Array, ""]:
    """The largest absolute value of the numbers, 1 if all are zero; derivatives treat it as a constant."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(numbers)))
    return jnp.where(largest > 0, largest, 1)
