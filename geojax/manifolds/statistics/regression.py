"""Geodesic regression: the geodesic with the least sum of squared distances from points at given times."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base import stacked
from geojax.manifolds.base.descent import descend, stationary
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.units import unit_and_tol
from geojax.manifolds.products.power import Power
from geojax.manifolds.statistics.mean import judged
from geojax.typing import PyTree, Scalar


@struct
class RegressionResult:
    """A geodesic  t -> exp(point, t velocity)  fitted to points.

    Attributes:
        point: Where it is at time 0.
        velocity: Its velocity there, a tangent vector at `point`, per unit of time.
        error: Norm of the gradient with respect to its points at the first and the last time, in parts of the largest
            distance of a point from the first one.
        num_steps: Gradients evaluated.
        status: CONVERGED, MAX_STEPS, NONFINITE or INFEASIBLE.
    """

    point: Any
    velocity: Any
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def geodesic_regression(
    manifold: WithLog,
    times: Float[Array, " n"],
    points: PyTree,
    weights: Float[Array, " n"] | None = None,
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 200,
) -> RegressionResult:
    """Least squares geodesic through points of a manifold at given times.

    Minimises  sum_i w_i dist(exp(p, t_i v), x_i)^2 / (2 sum_i w_i)  over points p and tangent vectors v at p.
    The unknowns are the points of the geodesic at the first and the last time.

    Args:
        manifold: The space.
        times: Times of the points, [n], not all equal.
        points: Points stacked on a leading axis of size n.
        weights: Weights, [n], nonnegative, of positive sum; equal if left out.
        tol: Norm of the gradient to reach, in parts of the largest distance of a point from the first one; or what
            rounding allows, if that is more.
        max_steps: Most gradients to evaluate; static.

    Returns:
        RegressionResult; a local minimum, reached from the points at the first and the last time. The geodesic between
        these times is assumed to be the shortest one.

    Raises:
        ValueError: At trace time, if there is no point, or shapes disagree.
        TypeError: If the manifold is none, or has no logarithm.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the data hold a NaN or the times are equal; INFEASIBLE if a weight is
        negative or none is positive.

    Differentiation: `point` and `velocity`: implicit, in times, points, weights and the manifold's parameters.

    Complexity: n geodesics and their derivatives a step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, geodesic_regression
        >>> line = geodesic_regression(Euclidean(), jnp.arange(3.0), jnp.array([[1.0], [3.0], [5.0]]))
        >>> float(line.point[0].round(4)), float(line.velocity[0].round(4))
        (1.0, 2.0)

    References: [Fletcher2013].
    """
    max_steps = checks.count("geodesic_regression", "max_steps", max_steps)
    check_manifold("geodesic_regression", manifold, "log")
    checks.no_explicit_axes("geodesic_regression", points)
    return _regression(manifold, times, points, weights, tol, max_steps)


@functools.partial(jax.jit, static_argnames="max_steps")
def _regression(
    manifold: WithLog, times: Array, points: PyTree, weights: Array | None, tol: Scalar, max_steps: int
) -> RegressionResult:
    where = "geodesic_regression"
    points, num = stacked.points_of(where, manifold, points)
    dtype = stacked.real_dtype(points)
    times = stacked.weights_of(where, times, num, dtype, "times")
    weights = stacked.weights_of(where, weights, num, dtype)
    theta = manifold, times, points, weights
    held = jax.lax.stop_gradient(theta)
    first, last = jnp.argmin(held[1]), jnp.argmax(held[1])
    start = jax.tree.map(lambda leaf: jnp.stack([leaf[first], leaf[last]]), held[2])

    def gradient(ends: Any, theta: Any) -> Any:
        slope = jax.grad(_objective)(ends, *theta, first, last)
        return Power(theta[0])._riemannian_gradient(ends, slope)

    # The sum of squares is spread over two end points: the Hessian is about a third of the identity.
    unit, tol = unit_and_tol(held[0], jax.tree.map(lambda leaf: leaf[0], start), held[2], tol)
    end = descend(
        Power(manifold),
        lambda ends: gradient(ends, held),
        start,
        length=2.0,
        unit=unit,
        tol=tol,
        max_steps=max_steps,
    )
    ends = stationary(lambda theta: Power(theta[0]), gradient, end.state, theta)
    span = times[last] - times[first]

    def along(t: Array) -> Any:
        return _at(manifold, ends, (t - times[first]) / span)

    point, velocity = jax.jvp(along, (jnp.zeros((), dtype),), (jnp.ones((), dtype),))
    return RegressionResult(point, velocity, end.error, end.num_steps, judged(end.status, weights))


def _at(manifold: WithLog, ends: PyTree, s: Array) -> Any:
    x, y = (jax.tree.map(lambda leaf, i=i: leaf[i], ends) for i in (0, 1))
    return manifold._geodesic(x, y, s)


def _objective(
    ends: PyTree,
    manifold: WithLog,
    times: Array,
    points: PyTree,
    weights: Array,
    first: Array,
    last: Array,
) -> Float[Array, ""]:
    share = (times - times[first]) / (times[last] - times[first])
    squared = jax.vmap(lambda s, x: manifold._squared_dist(_at(manifold, ends, s), x))(share, points)
    return weights @ squared / (2 * jnp.sum(weights))
