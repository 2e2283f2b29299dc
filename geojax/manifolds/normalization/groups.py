"""Batch normalisation on Lie groups: batches brought to a given mean and a given variance."""

from typing import Any

from jaxtyping import Array

from geojax.manifolds.base.manifold import Manifold
from geojax.manifolds.normalization.statistics import (
    BatchNormResult,
    BatchNormState,
    Point,
    Points,
    evaluated,
    normalized,
)
from geojax.typing import Scalar


def lie_batch_norm(
    manifold: Manifold,
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
    """Normalise a batch of points of a Lie group: its Fréchet mean becomes `bias`, its variance `scale`^2.

    y_i = bias * exp_e(scale / sqrt(v + epsilon) log_e(m^-1 * x_i))  with the batch's mean m and variance v, the group's
    product *, identity e and a metric invariant to products from the left. The mean is `bias` and the variance
    scale^2 v / (v + epsilon), exactly where curvature is nowhere positive.

    Args:
        manifold: A group with a left-invariant metric: `Euclidean`, where this is ordinary batch normalisation;
            `SPDAffineInvariant`, `SPDLogEuclidean` and `SPDLogCholesky` and their `SPDPower` deformations;
            `SpecialOrthogonal`; `Correlation`. Its parameters are traced.
        points: Points stacked on a leading axis of size n.
        state: Running statistics; they are updated, and not used otherwise.
        bias: The mean of the output, a point.
        scale: The square root of its variance, in units of distance.
        momentum: The share of this batch in the running statistics, in [0, 1].
        epsilon: Added to the variance, in squared units of distance.
        tol: Norm of the gradient at the mean, in units of distance.
        max_steps: Most steps to the mean; static.

    Returns:
        BatchNormResult: `points`, `state`, and how finding the mean ended.

    Raises:
        ValueError: At trace time, if shapes disagree or there is no point.
        NotImplementedError: At trace time, if the manifold is no group with an invariant metric.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: exact, through the implicit derivative of the mean, at repeated eigenvalues too.

    Complexity: n logarithms a step of the mean, and two products, an exponential and a logarithm a point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDLogEuclidean
        >>> from geojax.manifolds.normalization import BatchNormState, lie_batch_norm
        >>> points, eye = jnp.stack([2 * jnp.eye(2), 8 * jnp.eye(2)]), jnp.eye(2)
        >>> result = lie_batch_norm(SPDLogEuclidean(), points, BatchNormState(eye, 1.0), eye, 1.0)
        >>> round(float(result.points[0, 0, 0] * result.points[1, 0, 0]), 4)
        1.0

    References: [ChenLie2024].
    """
    return normalized(
        "lie_batch_norm", manifold, points, state, bias, scale, momentum, epsilon, tol, max_steps, _move
    )


def lie_batch_norm_eval(
    manifold: Manifold,
    points: Points,
    state: BatchNormState,
    bias: Point,
    scale: Scalar,
    *,
    epsilon: Scalar = 1e-5,
) -> Points:
    """Normalise points of a Lie group with running statistics, as `lie_batch_norm` does with a batch's own.

    y_i = bias * exp_e(scale / sqrt(v + epsilon) log_e(m^-1 * x_i))  with m and v from the state.

    Args:
        manifold: A group with a left-invariant metric, as for `lie_batch_norm`.
        points: Points stacked on a leading axis of size n.
        state: Running statistics.
        bias: Where the running mean goes, a point.
        scale: The length that the running standard deviation goes to, in units of distance.
        epsilon: Added to the variance, in squared units of distance.

    Returns:
        The normalised points, shaped as `points`.

    Raises:
        ValueError: At trace time, if shapes disagree or there is no point.
        NotImplementedError: At trace time, if the manifold is no group with an invariant metric.

    Differentiation: exact, at repeated eigenvalues too.

    Complexity: two products, an exponential and a logarithm a point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds.normalization import BatchNormState, lie_batch_norm_eval
        >>> state = BatchNormState(mean=jnp.array(1.0), variance=4.0)
        >>> lie_batch_norm_eval(Euclidean(), jnp.array([3.0]), state, jnp.array(5.0), 1.0, epsilon=0.0).tolist()
        [6.0]

    References: [ChenLie2024].
    """
    return evaluated("lie_batch_norm_eval", manifold, points, state, bias, scale, epsilon, _move)


def _move(group: Any, mean: Array, bias: Array, factor: Array, x: Array) -> Array:
    identity = group._identity(x)
    centred = group._log(identity, group._compose(group._inverse(mean), x))
    return group._compose(bias, group._exp(identity, factor * centred))
