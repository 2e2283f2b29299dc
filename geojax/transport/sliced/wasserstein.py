"""Sliced Wasserstein distances: transport on the line, averaged over directions."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import safe
from geojax._core.struct import struct
from geojax.transport.line.univariate import powers, uniform_gaps, weighted_gaps
from geojax.transport.measures import exponent
from geojax.transport.sliced.control_variates import Controlled, clouds
from geojax.typing import Scalar

Control = Callable[..., Controlled]


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
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
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
        x: Points, [n, d].
        y: Points, [m, d].
        a: Weights of x, [n], nonnegative, of sum 1. By default 1 / n each.
        b: Weights of y, [m], nonnegative, of sum 1. By default 1 / m each.
        projections: Directions as unit rows, [k, d], from `random_directions`, `orthogonal_directions` or
            `simplex_directions`.
        p: Exponent, finite, >= 1. A Python integer is fastest.
        control: control(x, y, projections) -> (values [k], their exact mean over the sphere), such as `lower_control`
            and `upper_control`; called as control(x, y, projections, a, b) if there are weights. It needs k >= 3 to
            take effect.

    Returns:
        SlicedResult(value, std_error), in units of x to the power p. NaN if a point is not finite, weights are not
        valid as in `wasserstein_1d`, or p < 1.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact in x, y, a, b, projections and p wherever the value is smooth; where projected points tie,
        one of the generalised derivatives. a and b may change only so that their sums stay fixed; the gradient is
        defined for such changes.

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
    given = a, b
    x, y, projections, a, b = clouds("sliced_wasserstein", x, y, projections, a, b)
    p = exponent("sliced_wasserstein", p)
    values = projected_powers(x, y, projections, p, *given)
    if control is not None:
        if not callable(control):
            raise TypeError(
                f"sliced_wasserstein: control is {control!r}; expected a function. Write control=lower_control or "
                "control=upper_control."
            )
        weights = () if a is None and b is None else (a, b)
        values = _controlled(values, *control(x, y, projections, *weights))
    k = values.size
    value = jnp.mean(values)
    variance = jnp.sum(jnp.square(values - value)) / (k - 1) if k > 1 else jnp.full_like(value, jnp.nan)
    return SlicedResult(value, safe.sqrt(variance / k))


def projected_powers(
    x: Array, y: Array, projections: Array, p: Scalar, a: Array | None, b: Array | None
) -> Float[Array, " k"]:
    """W_p^p of the projected clouds along each direction."""
    uniform = a is None and b is None

    def along(u: Array, v: Array) -> Array:
        gaps, widths = uniform_gaps(u, v) if uniform else weighted_gaps("sliced_wasserstein", u, v, a, b)
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
