"""Polymeans: the measures on k points that are nearest to a sample, on any space with distances and means."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core import checks
from geojax._core.lloyd import lloyd, update_centres
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.transport.costs import cost_matrix_of
from geojax.transport.measures import num_points
from geojax.typing import Cost


@struct
class PolymeanResult:
    """A measure on k points near a sample.

    `points` [k, ...] and `weights` [k] are the measure; `assignment` [n] is the index of the nearest of them for
    each point of the sample; `cost` is the squared W_2 distance to the sample; `error` is the share of the sample whose
    nearest point changed in the last step.
    """

    points: Any
    weights: Float[Array, " k"]
    assignment: Int[Array, " n"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def polymean(
    x: PyTree[Float[Array, "n ..."]],
    *,
    init: PyTree[Float[Array, "k ..."]],
    dist: Cost,
    mean: Callable[[PyTree, Float[Array, " n"]], PyTree],
    max_steps: int = 100,
) -> PolymeanResult:
    """Measure on k points nearest to a sample in W_2, a local minimum reached by Lloyd's steps from given points.

    Minimises  W_2^2(sum_j w_j delta_(c_j), mean_i delta_(x_i)) = mean_i min_j dist(x_i, c_j)^2,  the projection of the
    empirical measure onto the k-skeleton of Wasserstein space: its Frechet mean for k = 1, k-means in a Euclidean
    space. Each step assigns every point to the nearest c_j and moves c_j to the mean of its points; the cost never
    rises.

    Args:
        x: Sample, [n, ...]; an array or any tree of arrays that share the leading axis.
        init: Points to start from, [k, ...], a tree like x. Try several starts and keep the best cost.
        dist: dist(x_i, c_j) -> scalar, the metric of the space, such as `Sphere().dist` or `Distance()`.
        mean: mean(x, weights [n]) -> point, the weighted Frechet mean; weights are nonnegative and sum to 1.
        max_steps: Most steps; static.

    Returns:
        PolymeanResult. A c_j that is nearest to no point stays where it is, with weight 0.

    Raises:
        ValueError: At trace time, if a set is empty or the leaves disagree in size.

    Status: CONVERGED if a step changes no assignment; MAX_STEPS; NONFINITE if a distance is not finite.

    Differentiation: `points` and `cost`: exact with the assignment held fixed, through `mean` and `dist`. Others: none.

    Complexity: n k distances and k means of n points per step.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> result = gj.transport.polymean(
        ...     jnp.array([0.0, 1.0, 10.0, 11.0, 12.0]),
        ...     init=jnp.array([0.0, 1.0]),
        ...     dist=gj.transport.Distance(),
        ...     mean=lambda x, weights: weights @ x,
        ... )
        >>> gj.unwrap(result).points.round(1).tolist(), result.assignment.tolist()
        ([0.5, 11.0], [0, 0, 1, 1, 1])

    References: [Harms2020]; [Lloyd1982].
    """
    n, k = num_points("polymean", x=x, init=init)
    _check_mean(mean)
    max_steps = checks.count("polymean", "max_steps", max_steps)

    def squares(points: PyTree, centres: PyTree) -> Float[Array, "n k"]:
        return jnp.square(cost_matrix_of("polymean", "dist", dist, points, centres))

    held, start = jax.lax.stop_gradient((x, init))
    end = lloyd(held, start, squared_distances=squares, mean=mean, max_steps=max_steps)
    dtype = end.objective.dtype
    # One more step with the assignment held: the way by which the points are differentiated.
    points = update_centres(x, end.centres, end.labels, mean, dtype)
    own = jnp.take_along_axis(squares(x, points), jnp.maximum(end.labels, 0)[:, None], axis=1)
    weights = jnp.sum(end.labels[:, None] == jnp.arange(k), axis=0).astype(dtype) / n
    return PolymeanResult(points, weights, end.labels, jnp.mean(own), end.error, end.num_steps, end.status)


def _check_mean(mean: Any) -> None:
    if not callable(mean) or isinstance(mean, type):
        raise TypeError(
            f"polymean: mean is {checks.described(mean)}; expected a function mean(x, weights) -> point. "
            "On a manifold M write mean=lambda x, weights: frechet_mean(M, x, weights).point."
        )
