"""The direction along which two clouds of points are farthest apart."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.loops import Iteration, iterate, vary_with
from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.measures import exponent, number
from geojax.transport.sliced.control_variates import clouds
from geojax.transport.sliced.wasserstein import projected_powers
from geojax.typing import Scalar

LONGEST = 0.5  # radians, of a trial step


@struct
class MaxSlicedResult:
    """The best direction that the ascent reached, and the distance along it to the power p.

    `direction` is a unit vector [d]; `error` is the angle of the last trial step in radians.
    """

    value: Float[Array, ""]
    direction: Float[Array, " d"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def max_sliced_wasserstein(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    init: Float[Array, "k d"],
    p: Scalar = 2,
    tol: Scalar = 1e-4,
    max_steps: int = 200,
) -> MaxSlicedResult:
    """Max-sliced Wasserstein distance to the p-th power, an approximate maximum by ascent from given directions.

    max over unit theta of W_p^p(theta . x, theta . y).  From each start the ascent moves along the sphere by an angle
    in the direction of the gradient, keeps the step and doubles the angle if the value rises, and quarters the angle
    otherwise. The value is attained along `direction`: it is a lower bound of the maximum, and at least the largest
    value at the starts.

    Args:
        x: Points, [n, d].
        y: Points, [m, d].
        a: Weights of x, [n], nonnegative, of sum 1. By default 1 / n each.
        b: Weights of y, [m], nonnegative, of sum 1. By default 1 / m each.
        init: Directions to start from, as unit rows [k, d], from `random_directions`, `orthogonal_directions` or
            `simplex_directions`.
        p: Exponent, finite, >= 1. A Python integer is fastest.
        tol: The ascent ends when a step of at most this angle, in radians, does not raise the value.
        max_steps: Most trial steps from each start; static.

    Returns:
        MaxSlicedResult; error, num_steps and status are those of the best start.

    Raises:
        ValueError: At trace time, if the shapes disagree, a measure is empty or there is no start.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; NONFINITE if a point is not finite, weights are not valid as in `wasserstein_1d`, or
        p < 1.

    Differentiation: `value`: envelope, in x, y, a, b and p, at `direction`. It is exact if no projected points tie
        at the maximum; otherwise it is the gradient for one of the optimal matchings. a and b may change only so that
        their sums stay fixed. Others: none.

    Complexity: O(max_steps k (n + m) (d + log(n + m))) time.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> x = jax.random.normal(jax.random.key(0), (20, 2))
        >>> starts = gj.transport.random_directions(jax.random.key(1), (4, 2))
        >>> result = gj.unwrap(gj.transport.max_sliced_wasserstein(x, x + jnp.array([3.0, 4.0]), init=starts))
        >>> round(float(result.value), 3), [round(abs(float(t)), 2) for t in result.direction]
        (25.0, [0.6, 0.8])

    References: [Deshpande2019].
    """
    given = a, b
    x, y, starts, _, _ = clouds("max_sliced_wasserstein", x, y, init, a, b)
    checks.count("max_sliced_wasserstein", "max_steps", max_steps)
    held_x, held_y, held, starts = jax.lax.stop_gradient((x, y, given, starts))
    p = exponent("max_sliced_wasserstein", p)
    tol = number("max_sliced_wasserstein", "tol", tol, x.dtype)
    held_p = p if isinstance(p, int) else jax.lax.stop_gradient(jnp.asarray(p, x.dtype))

    def height(theta: Array) -> Array:
        return projected_powers(held_x, held_y, theta[None], held_p, *held)[0]

    ends = jax.vmap(lambda start: _ascent(height, start, (x, y, held, held_p), tol, max_steps))(starts)
    heights = ends.state[2]
    best = jnp.argmax(heights)  # if a value is NaN, the first of them
    direction = ends.state[0][best]
    value = projected_powers(x, y, direction[None], p, *given)[0]
    status = jnp.where(jnp.isfinite(value), ends.status[best], Status.NONFINITE).astype(jnp.int32)
    return MaxSlicedResult(value, direction, ends.error[best], ends.num_steps[best], status)


def _ascent(height, start: Array, data, tol: Scalar, max_steps: int) -> Iteration:
    """Climb from one start; the state is (theta, unit tangent of ascent, value, angle to try next)."""
    climb = jax.value_and_grad(height)

    def uphill(theta: Array) -> tuple[Array, Array]:
        value, gradient = climb(theta)
        tangent = gradient - (theta @ gradient) * theta
        size = safe.norm(tangent)
        return value, tangent / jnp.where(size > 0, size, 1)

    def step(state: tuple[Array, Array, Array, Array]):
        theta, tangent, value, angle = state
        trial = jnp.cos(angle) * theta + jnp.sin(angle) * tangent
        trial = trial / safe.norm(trial)
        reached, onward = uphill(trial)
        gains = reached > value
        kept = jax.tree.map(
            lambda a, b: jnp.where(gains, a, b), (trial, onward, reached), (theta, tangent, value)
        )
        following = jnp.where(gains, jnp.minimum(2 * angle, LONGEST), angle / 4)
        # A step that raises the value never ends the ascent, however short it is.
        return (*kept, following), jnp.where(gains, LONGEST, angle)

    theta = start / safe.norm(start)
    value, tangent = uphill(theta)
    state = vary_with((theta, tangent, value, jnp.asarray(LONGEST, theta.dtype)), data, start)
    return iterate(step, state, tol=tol, max_steps=max_steps)
