"""Control variates for sliced Wasserstein distances: functions of a direction whose mean over the sphere is known."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.transport.measures import arrays, check_weights

Controlled = tuple[Float[Array, " k"], Float[Array, ""]]


def lower_control(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    projections: Float[Array, "k d"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
) -> Controlled:
    """Squared distance of the projected means, a lower bound of the projected squared W_2.

    c(theta) = (theta . (mean x - mean y))^2,  whose mean over the sphere is |mean x - mean y|^2 / d.

    Args:
        x: Points, [n, d].
        y: Points, [m, d].
        projections: Unit rows, [k, d].
        a: Weights of x, [n], of sum 1. By default 1 / n each.
        b: Weights of y, [m], of sum 1. By default 1 / m each.

    Returns:
        (c, mean): its values at the projections, [k], and its mean over the sphere; both in squared units of x.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.

    Differentiation: exact.

    Complexity: O((n + m + k) d).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import lower_control
        >>> c, mean = lower_control(jnp.zeros((5, 2)), jnp.full((4, 2), 3.0), jnp.eye(2))
        >>> c.tolist(), float(mean)
        ([9.0, 9.0], 9.0)

    References: [Nguyen2024].
    """
    x, y, projections, a, b = clouds("lower_control", x, y, projections, a, b)
    shift = _mean(x, a) - _mean(y, b)
    return jnp.square(projections @ shift), jnp.sum(jnp.square(shift)) / shift.size


def upper_control(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    projections: Float[Array, "k d"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
) -> Controlled:
    """Mean squared difference of independent projected points, an upper bound of the projected squared W_2.

    c(theta) = (theta . (mean x - mean y))^2 + theta^T (S_x + S_y) theta,  whose mean over the sphere is
    (|mean x - mean y|^2 + tr S_x + tr S_y) / d;  S_x and S_y are the covariances of the points.

    Args:
        x: Points, [n, d].
        y: Points, [m, d].
        projections: Unit rows, [k, d].
        a: Weights of x, [n], of sum 1. By default 1 / n each.
        b: Weights of y, [m], of sum 1. By default 1 / m each.

    Returns:
        (c, mean): its values at the projections, [k], and its mean over the sphere; both in squared units of x.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.

    Differentiation: exact.

    Complexity: O((n + m) k d).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import upper_control
        >>> c, mean = upper_control(jnp.array([[1.0], [-1.0]]), jnp.zeros((3, 1)), jnp.ones((1, 1)))
        >>> c.tolist(), float(mean)
        ([1.0], 1.0)

    References: [Nguyen2024].
    """
    x, y, projections, a, b = clouds("upper_control", x, y, projections, a, b)
    lower, lower_mean = lower_control(x, y, projections, a, b)
    x, y = x - _mean(x, a), y - _mean(y, b)
    along = _mean(jnp.square(x @ projections.T), a) + _mean(jnp.square(y @ projections.T), b)
    traces = _mean(jnp.sum(jnp.square(x), axis=1), a) + _mean(jnp.sum(jnp.square(y), axis=1), b)
    return lower + along, lower_mean + traces / x.shape[1]


def _mean(values: Array, weights: Array | None) -> Array:
    """The weighted mean along the first axis."""
    return jnp.mean(values, axis=0) if weights is None else weights @ values


def clouds(
    where: str, x: Array, y: Array, projections: Array, a: Array | None = None, b: Array | None = None
) -> tuple[Array, Array, Array, Array | None, Array | None]:
    """Check two clouds, directions and weights, and convert them to one floating dtype of at least single precision."""
    checks.no_explicit_axes(where, x, y, projections, a, b)
    weights = {name: value for name, value in (("a", a), ("b", b)) if value is not None}
    x, y, projections, *given = arrays(where, x=x, y=y, projections=projections, **weights)
    size = checks.shapes(where, x=(x, "n d"), y=(y, "m d"), projections=(projections, "k d"))
    for name, count in zip(("x", "y", "projections"), (size["n"], size["m"], size["k"])):
        if count == 0:
            raise ValueError(f"{where}: {name} has no rows; expected at least one. Leave empty problems out.")
    check_weights(where, x, y, a, b)
    kept = dict(zip(weights, given))
    return x, y, projections, kept.get("a"), kept.get("b")
