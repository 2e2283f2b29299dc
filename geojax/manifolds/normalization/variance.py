"""The variance of points of a manifold."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.manifolds.base import stacked
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog

Points = Float[Array, "num *point"]
Point = Float[Array, "*point"]


@rounded_once
def frechet_variance(
    manifold: WithLog, points: Points, center: Point, weights: Float[Array, " num"] | None = None
) -> Float[Array, ""]:
    """Weighted mean squared distance of points from a point, usually their Fréchet mean.

    v = sum_i w_i dist(center, x_i)^2 / sum_i w_i.

    Args:
        manifold: The space; its metric parameters may be traced.
        points: Points stacked on a leading axis of size n.
        center: The point to measure from.
        weights: Weights, [n], nonnegative, of positive sum; equal if left out.

    Returns:
        Scalar >= 0, in squared units of distance.

    Raises:
        ValueError: At trace time, if shapes disagree or there is no point.
        TypeError: If the manifold is none, or has no distance.

    Differentiation: exact, as that of the manifold's `squared_dist`.

    Complexity: n squared distances.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds.normalization import frechet_variance
        >>> float(frechet_variance(Euclidean(), jnp.array([1.0, 3.0]), jnp.array(2.0)))
        1.0

    References: [ChenLie2024].
    """
    where = "frechet_variance"
    check_manifold(where, manifold, "squared_dist")
    points, center = same_points(where, manifold, points, center=center)
    weights = stacked.weights_of(where, weights, points.shape[0], points.dtype)
    squares = jax.vmap(lambda x: manifold._squared_dist(center, x))(points)
    return jnp.vdot(weights, squares) / jnp.sum(weights)


def same_points(where: str, manifold: WithLog, points: Array, **others: Array) -> tuple[Array, ...]:
    """Stacked points and single points beside them, all of one floating dtype and of the shape of a point."""
    points, _ = stacked.points_of(where, manifold, points)
    points, *rest = checks.floats(where, points=points, **others)
    manifold._arrays(where, **{"each of points": points[0]}, **dict(zip(others, rest)))
    return points, *rest
