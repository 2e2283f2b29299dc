"""Principal components of points of a manifold, in the tangent space at a base point."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base import stacked
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.typing import PyTree


@struct
class TangentPCA:
    """Principal components in a tangent space.

    Attributes:
        variances: Mean squared coordinate along each direction, [k], in falling order, squared units of distance.
        directions: Tangent vectors at the base, orthonormal in its metric, stacked on a leading axis of size k. A
            direction of variance 0 is not determined, and is given as 0.
        coordinates: Coordinates of the logarithms of the points, [n, k].
    """

    variances: Float[Array, " k"]
    directions: Any
    coordinates: Float[Array, "n k"]


@rounded_once
def tangent_pca(
    manifold: WithLog, x: PyTree, points: PyTree, weights: Float[Array, " n"] | None = None
) -> TangentPCA:
    """Principal component analysis of the logarithms of points at a base point, in its metric.

    With u_i = log_x(x_i) and shares p_i = w_i / sum w, the directions e_j are orthonormal and maximise
    sum_i p_i <u_i, e_j>^2 in turn. Variances are about x; at the Fréchet mean, the mean of the u_i is 0.

    Args:
        manifold: The space.
        x: Base point.
        points: Points stacked on a leading axis of size n.
        weights: Weights, [n], nonnegative, of positive sum; equal if left out.

    Returns:
        TangentPCA with k = min(n, dimension of the manifold) components, each of the sign that makes its largest
        coordinate positive.

    Raises:
        ValueError: At trace time, if there is no point, or shapes disagree.
        TypeError: If the manifold is none, or has no logarithm.

    Differentiation: exact if the variances are distinct and positive.

    Complexity: n logarithms, n^2 inner products and one eigendecomposition of order n.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, tangent_pca
        >>> pca = tangent_pca(Euclidean(), jnp.zeros(2), jnp.array([[3.0, 0.0], [0.0, 1.0]]))
        >>> [round(x, 4) for x in pca.variances.tolist()]
        [4.5, 0.5]

    References: [Fletcher2004].
    """
    where = "tangent_pca"
    check_manifold(where, manifold, "log")
    points, num = stacked.points_of(where, manifold, points)
    (x,) = stacked.like_points(where, manifold, points, x=x)
    dtype = stacked.real_dtype(points)
    weights = stacked.weights_of(where, weights, num, dtype)
    roots = jnp.sqrt(weights / jnp.sum(weights))
    count = min(num, manifold._dimension(x))
    logs = stacked.logs(manifold, x, points)
    inner = jax.vmap(jax.vmap(lambda u, v: manifold._inner(x, u, v), (None, 0)), (0, None))(logs, logs)
    values, vectors = jnp.linalg.eigh(roots[:, None] * inner * roots)
    variances, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    present = ~(variances <= num * jnp.finfo(dtype).eps * variances[0])
    lengths = jnp.sqrt(jnp.where(present, variances, 1))
    mixing = jnp.where(present, vectors * roots[:, None] / lengths, 0)
    coordinates = inner @ mixing
    heaviest = jnp.argmax(jnp.abs(coordinates), axis=0)
    signs = jnp.where(jnp.take_along_axis(coordinates, heaviest[None], axis=0)[0] < 0, -1, 1).astype(dtype)
    directions = jax.vmap(lambda column: stacked.combination(column, logs), in_axes=1)(mixing * signs)
    return TangentPCA(jnp.where(present, variances, 0), directions, coordinates * signs)
