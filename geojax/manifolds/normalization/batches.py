"""Batch normalisation: a batch is brought to a given mean and a given variance, on any space with parallel transport.

The step from the batch's mean m to a point x is made longer or shorter and carried from m to the bias g by a linear
isometry of their tangent spaces, so that the steps at g still add up to 0. Each space has its own way to carry them:

    groups with an invariant metric    the product with g m^-1 from the left
    Bures-Wasserstein                  parallel transport from m to the metric matrix M and on to g, in closed form
    others                             parallel transport from m to g
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.normalization.charts import Charted, charted, uncharted
from geojax.manifolds.normalization.variance import Point, Points, same_points
from geojax.manifolds.statistics.mean import frechet_mean
from geojax.typing import Scalar


@struct
class BatchNormState:
    """Running statistics of a normalisation.

    Attributes:
        mean: Running Fréchet mean, a point.
        variance: Running mean squared distance from the mean.
    """

    mean: Any
    variance: Any


@struct
class BatchNormResult:
    """A normalised batch, and how the iteration for its mean ended.

    Attributes:
        points: The normalised points, stacked on the leading axis.
        state: The running statistics after this batch.
        error: Norm of the gradient at the mean.
        num_steps: Steps taken to the mean.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    points: Points
    state: BatchNormState
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def batch_norm(
    manifold: WithTransport,
    points: Points,
    state: BatchNormState,
    bias: Point,
    scale: Scalar,
    *,
    momentum: Scalar = 0.1,
    epsilon: Scalar = 1e-5,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
) -> BatchNormResult:
    """Normalise a batch of points of a manifold: its Fréchet mean becomes `bias`, its variance `scale`^2.

    y_i = exp_g(scale / sqrt(v + epsilon) T log_m(x_i))  with the batch's mean m and variance v, g = `bias`, and a
    linear isometry T from the tangent space at m to that at g. On a group with a metric that products from the left do
    not change, T is the product with g m^-1, and the formula is that of [ChenLie2024]:
    y_i = g * exp_e(scale / sqrt(v + epsilon) log_e(m^-1 * x_i)). For Bures-Wasserstein metrics it is parallel transport
    from m to M and on to g [WangRui2025]; elsewhere parallel transport from m to g.

    Args:
        manifold: A space with parallel transport whose points are single arrays: on `Euclidean` this is ordinary batch
            normalisation; the metrics on covariances, `SPDPower` of them among them; `SpecialOrthogonal`;
            `Correlation`; `Sphere`, ... Its parameters are traced, and may be learnt.
        points: Points stacked on a leading axis of size n.
        state: Running statistics; they are updated, and not used otherwise.
        bias: The mean of the output, a point.
        scale: The square root of its variance, in units of distance.
        momentum: The share of this batch in the running statistics, in [0, 1].
        epsilon: Added to the variance, in squared units of distance.
        tol: Norm of the gradient at the mean, in units of distance.
        max_steps: Most steps to the mean; static.

    Returns:
        BatchNormResult: `points`, `state`, and how the iteration for the mean ended. While the steps are shorter than
        the injectivity radius at g, `bias` is a stationary point of the output's dispersion and scale^2 v /
        (v + epsilon) its variance about it; where curvature is nowhere positive, `bias` is the mean. Steps beyond the
        domain of a Bures-Wasserstein exp_g give the matrices of `retract`, positive semidefinite all the same.

    Raises:
        ValueError: At trace time, if shapes disagree or there is no point.
        TypeError: If the manifold is none, or has no parallel transport.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: exact, through the implicit derivative of the mean, at repeated eigenvalues too.

    Complexity: n logarithms a step of the mean, then two or three operations of the manifold for each point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDLogEuclidean
        >>> from geojax.manifolds.normalization import BatchNormState, batch_norm
        >>> points, eye = jnp.stack([2 * jnp.eye(2), 8 * jnp.eye(2)]), jnp.eye(2)
        >>> result = batch_norm(SPDLogEuclidean(), points, BatchNormState(eye, 1.0), eye, 1.0)
        >>> round(float(result.points[0, 0, 0] * result.points[1, 0, 0]), 4)
        1.0

    References: [ChenLie2024] for groups; [WangRui2025] for Bures-Wasserstein metrics.
    """
    where = "batch_norm"
    check_manifold(where, manifold, "parallel_transport")
    max_steps = checks.count(where, "max_steps", max_steps)
    return _batch_norm(manifold, points, state, bias, scale, momentum, epsilon, tol, max_steps)


@functools.partial(jax.jit, static_argnames="max_steps")
def _batch_norm(manifold, points, state, bias, scale, momentum, epsilon, tol, max_steps):
    points, bias, state, scale, momentum, epsilon = _arguments(
        "batch_norm", manifold, points, state, bias, scale, momentum, epsilon
    )
    behind = charted(manifold, points, bias)
    mean = frechet_mean(behind.manifold, behind.points, tol=tol, max_steps=max_steps)
    squares = jax.vmap(lambda x: behind.manifold._squared_dist(mean.point, x))(behind.points)
    variance = behind.ratio * jnp.mean(squares)
    outputs = uncharted(manifold, _recentred(behind, mean.point, behind.others[0], scale, variance, epsilon))
    # The running mean follows the geodesic to the batch's mean, the variance the straight line.
    center = manifold._geodesic(state.mean, uncharted(manifold, mean.point[None])[0], momentum)
    after = BatchNormState(center, (1 - momentum) * state.variance + momentum * variance)
    return BatchNormResult(outputs, after, mean.error, mean.num_steps, mean.status)


@rounded_once
def batch_norm_eval(
    manifold: WithTransport,
    points: Points,
    state: BatchNormState,
    bias: Point,
    scale: Scalar,
    *,
    epsilon: Scalar = 1e-5,
) -> Points:
    """Normalise points of a manifold with running statistics, as `batch_norm` does with a batch's own.

    y_i = exp_g(scale / sqrt(v + epsilon) T log_m(x_i))  with m and v from the state, g = `bias` and T from m to g.

    Args:
        manifold: A space with parallel transport, as for `batch_norm`.
        points: Points stacked on a leading axis of size n.
        state: Running statistics.
        bias: Where the running mean goes, a point.
        scale: The length that the running standard deviation goes to, in units of distance.
        epsilon: Added to the variance, in squared units of distance.

    Returns:
        The normalised points, shaped as `points`.

    Raises:
        ValueError: At trace time, if shapes disagree or there is no point.
        TypeError: If the manifold is none, or has no parallel transport.

    Differentiation: exact, at repeated eigenvalues too.

    Complexity: two or three operations of the manifold for each point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds.normalization import BatchNormState, batch_norm_eval
        >>> state = BatchNormState(mean=jnp.array(1.0), variance=4.0)
        >>> batch_norm_eval(Euclidean(), jnp.array([3.0]), state, jnp.array(5.0), 1.0, epsilon=0.0).tolist()
        [6.0]

    References: [ChenLie2024] for groups; [WangRui2025] for Bures-Wasserstein metrics.
    """
    check_manifold("batch_norm_eval", manifold, "parallel_transport")
    return _batch_norm_eval(manifold, points, state, bias, scale, epsilon)


@jax.jit
def _batch_norm_eval(manifold, points, state, bias, scale, epsilon):
    points, bias, state, scale, _, epsilon = _arguments(
        "batch_norm_eval", manifold, points, state, bias, scale, 0.0, epsilon
    )
    behind = charted(manifold, points, bias, state.mean)
    bias, mean = behind.others
    return uncharted(manifold, _recentred(behind, mean, bias, scale, state.variance, epsilon))


def _recentred(behind: Charted, mean: Array, bias: Array, scale: Any, variance: Any, epsilon: Any) -> Array:
    factor = scale / jnp.sqrt(variance + epsilon)
    return jax.vmap(lambda x: behind.manifold._recentred(mean, bias, factor, x))(behind.points)


def _arguments(
    where: str,
    manifold: WithTransport,
    points: Array,
    state: BatchNormState,
    bias: Array,
    scale: Scalar,
    momentum: Scalar,
    epsilon: Scalar,
) -> tuple[Any, ...]:
    """The arguments with the shapes checked and in the dtype of the points; momentum comes before epsilon."""
    scalars = {"state.variance": state.variance, "scale": scale, "momentum": momentum, "epsilon": epsilon}
    checks.shapes(where, **{name: (value, "") for name, value in scalars.items()})
    points, bias, mean = same_points(where, manifold, points, **{"bias": bias, "state.mean": state.mean})
    variance, scale, momentum, epsilon = (jnp.asarray(value, points.dtype) for value in scalars.values())
    return points, bias, BatchNormState(mean, variance), scale, momentum, epsilon
