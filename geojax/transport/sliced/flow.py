"""Gradient flow of the squared sliced distance from one cloud of points towards another."""

import jax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.transport.features.directions import random_directions
from geojax.transport.measures import number
from geojax.transport.sliced.control_variates import clouds
from geojax.transport.sliced.wasserstein import Control, sliced_wasserstein
from geojax.typing import Key, Scalar


def sliced_flow(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    *,
    key: Key,
    step_size: Scalar,
    num_steps: int,
    num_projections: int = 50,
    control: Control | None = None,
) -> Float[Array, "n d"]:
    """Points after some gradient steps on the squared sliced Wasserstein distance, with new directions at each step.

    x <- x - step_size (n d / 2) grad_x SW_2^2(x, y).  In these units, and with the exact average over directions,
    one step with step_size = 1 moves a cloud that is a translate of y onto y.

    Args:
        x: Points to move, [n, d].
        y: Points to move towards, [m, d].
        key: Random key, for the directions.
        step_size: Length of a step, usually in (0, 1].
        num_steps: Number of steps; static.
        num_projections: Number of directions in each step; static.
        control: Control variate of each step's estimate, as in `sliced_wasserstein`; it reduces the noise of the flow.

    Returns:
        Points, [n, d].

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.

    Differentiation: unrolled, in x, y and step_size.

    Complexity: num_steps values and gradients of `sliced_wasserstein`.

    Example:
        >>> import jax
        >>> from geojax.transport import lower_control, sliced_flow
        >>> x = jax.random.normal(jax.random.key(0), (20, 2))
        >>> end = sliced_flow(
        ...     x, x + 3, key=jax.random.key(1), step_size=1.0, num_steps=3, control=lower_control
        ... )
        >>> bool(abs(end - (x + 3)).max() < 1e-3)
        True

    References: [Nguyen2024]; [Bonneel2015].
    """
    checks.typed_key("sliced_flow", key)
    checks.count("sliced_flow", "num_steps", num_steps)
    checks.count("sliced_flow", "num_projections", num_projections, minimum=1)
    x, y, *_ = clouds("sliced_flow", x, y, x[:1])
    n, d = x.shape
    length = number("sliced_flow", "step_size", step_size, x.dtype) * (n * d / 2)

    def step(points: Array, step_key: Key) -> tuple[Array, None]:
        theta = random_directions(step_key, (num_projections, d)).astype(x.dtype)

        def value(z: Array) -> Array:
            return sliced_wasserstein(z, y, projections=theta, control=control).value

        return points - length * jax.grad(value)(points), None

    start = vary_with(x, y, length, jax.random.key_data(key))
    return jax.lax.scan(step, start, jax.random.split(key, num_steps))[0]
