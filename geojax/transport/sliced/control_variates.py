"""Control variates for sliced Wasserstein distances: functions of a direction whose mean over the sphere is known."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.transport.measures import arrays

Controlled = tuple[Float[Array, " k"], Float[Array, ""]]


def lower_control(
    x: Float[Array, "n d"], y: Float[Array, "m d"], projections: Float[Array, "k d"]
) -> Controlled:
    """Squared distance of the projected means, a lower bound of the projected squared W_2.

    c(theta) = (theta . (mean x - mean y))^2,  whose mean over the sphere is |mean x - mean y|^2 / d.

    Args:
        x: Points, [n, d].
        y: Points, [m, d].
        projections: Unit rows, [k, d].

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
    x, y, projections = clouds("lower_control", x, y, projections)
    shift = jnp.mean(x, axis=0) - jnp.mean(y, axis=0)
    return jnp.square(projections @ shift), jnp.sum(jnp.square(shift)) / shift.size


def upper_control(
    x: Float[Array, "n d"], y: Float[Array, "m d"], projections: Float[Array, "k d"]
) -> Controlled:
    """Mean squared difference of independent projected points, an upper bound of the projected squared W_2.

    c(theta) = (theta . (mean x - mean y))^2 + theta^T (S_x + S_y) theta,  whose mean over the sphere is
    (|mean x - mean y|^2 + tr S_x + tr S_y) / d;  S_x and S_y are the covariances of the points.

    Args:
        x: Points, [n, d].
        y: Points, [m, d].
        projections: Unit rows, [k, d].

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
    x, y, projections = clouds("upper_control", x, y, projections)
    lower, lower_mean = lower_control(x, y, projections)
    x, y = x - jnp.mean(x, axis=0), y - jnp.mean(y, axis=0)
    along = jnp.mean(jnp.square(projections @ x.T), axis=1) + jnp.mean(jnp.square(projections @ y.T), axis=1)
    traces = jnp.mean(jnp.sum(jnp.square(x), axis=1)) + jnp.mean(jnp.sum(jnp.square(y), axis=1))
    return lower + along, lower_mean + traces / x.shape[1]


def clouds(where: str, x: Array, y: Array, projections: Array) -> tuple[Array, Array, Array]:
    """Check two clouds and directions, and convert them to one floating dtype of at least single precision."""
    x, y, projections = arrays(where, x=x, y=y, projections=projections)
    size = checks.shapes(where, x=(x, "n d"), y=(y, "m d"), projections=(projections, "k d"))
    for name, count in zip(("x", "y", "projections"), (size["n"], size["m"], size["k"])):
        if count == 0:
            raise ValueError(f"{where}: {name} has no rows; expected at least one. Leave empty problems out.")
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    return x.astype(dtype), y.astype(dtype), projections.astype(dtype)
