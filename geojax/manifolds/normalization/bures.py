"""Batch normalisation of positive definite matrices in Bures-Wasserstein geometry."""

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
from geojax.manifolds.spd.bures_wasserstein import SPDBuresWasserstein
from geojax.typing import Scalar


def bures_batch_norm(
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
    """Normalise a batch of positive definite matrices under the (generalised) Bures-Wasserstein metric.

    y_i = exp_g(scale / sqrt(v + epsilon) P log_m(x_i))  with the batch's Fréchet mean m and variance v, and P parallel
    transport from m to M and on to g = `bias`, both in closed form as M commutes with all. While every vector of
    exp_g stays within its domain, `bias` is a stationary point of the output's dispersion, its Fréchet mean, and
    scale^2 v / (v + epsilon) the mean squared length there.

    Args:
        manifold: `SPDBuresWasserstein`, or a `SPDPower` of it. The metric matrix M and the power are traced and may be
            learnt.
        points: Points stacked on a leading axis, [num, n, n], symmetric positive definite.
        state: Running statistics; they are updated, and not used otherwise.
        bias: The mean of the output, [n, n], symmetric positive definite.
        scale: The square root of its variance, in units of distance.
        momentum: The share of this batch in the running statistics, in [0, 1].
        epsilon: Added to the variance, in squared units of distance.
        tol: Norm of the gradient at the mean, in units of distance.
        max_steps: Most steps to the mean; static.

    Returns:
        BatchNormResult: `points`, `state`, and how finding the mean ended. Vectors beyond the domain of exp_g give
        positive semidefinite matrices all the same, those of `retract`.

    Raises:
        ValueError: At trace time, if shapes disagree, there is no point, or the metric is another.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: exact, through the implicit derivative of the mean, at repeated eigenvalues too.

    Complexity: n maps a step of the mean, O(n^3) each, and a fixed number of symmetric eigenvalue problems a point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDBuresWasserstein
        >>> from geojax.manifolds.normalization import BatchNormState, bures_batch_norm
        >>> points, eye = jnp.stack([jnp.eye(2), 9 * jnp.eye(2)]), jnp.eye(2)
        >>> result = bures_batch_norm(SPDBuresWasserstein(), points, BatchNormState(eye, 1.0), eye, 0.5)
        >>> round(float(result.state.variance), 4)
        1.1

    References: [WangRui2025].
    """
    return normalized(
        "bures_batch_norm", manifold, points, state, bias, scale, momentum, epsilon, tol, max_steps, _move
    )


def bures_batch_norm_eval(
    manifold: Manifold,
    points: Points,
    state: BatchNormState,
    bias: Point,
    scale: Scalar,
    *,
    epsilon: Scalar = 1e-5,
) -> Points:
    """Normalise positive definite matrices with running statistics, as `bures_batch_norm` does with a batch's own.

    y_i = exp_g(scale / sqrt(v + epsilon) P log_m(x_i))  with m and v from the state, P transport from m to g = `bias`.

    Args:
        manifold: `SPDBuresWasserstein`, or a `SPDPower` of it.
        points: Points stacked on a leading axis, [num, n, n], symmetric positive definite.
        state: Running statistics.
        bias: Where the running mean goes, [n, n], symmetric positive definite.
        scale: The length that the running standard deviation goes to, in units of distance.
        epsilon: Added to the variance, in squared units of distance.

    Returns:
        The normalised points, shaped as `points`.

    Raises:
        ValueError: At trace time, if shapes disagree, there is no point, or the metric is another.

    Differentiation: exact, at repeated eigenvalues too.

    Complexity: a fixed number of symmetric eigenvalue problems a point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDBuresWasserstein
        >>> from geojax.manifolds.normalization import BatchNormState, bures_batch_norm_eval
        >>> state, points = BatchNormState(jnp.eye(1), 1.0), 9 * jnp.ones((1, 1, 1))
        >>> bures_batch_norm_eval(SPDBuresWasserstein(), points, state, jnp.eye(1), 1.0, epsilon=0.0).tolist()
        [[[9.0]]]

    References: [WangRui2025].
    """
    return evaluated("bures_batch_norm_eval", manifold, points, state, bias, scale, epsilon, _move)


def _move(space: Any, mean: Array, bias: Array, factor: Array, x: Array) -> Array:
    if not isinstance(space, SPDBuresWasserstein):
        raise ValueError(
            f"bures_batch_norm: manifold rests on {type(space).__name__}; expected SPDBuresWasserstein, or SPDPower of "
            "it. Use lie_batch_norm for groups."
        )
    carried = space._transport_through_metric(mean, bias, space._log(mean, x))
    return space._retract(bias, factor * carried)
