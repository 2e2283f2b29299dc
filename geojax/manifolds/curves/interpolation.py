"""Curves through and near several points of a manifold, by repeated geodesic interpolation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.manifolds.base import stacked
from geojax.manifolds.base.manifold import Manifold
from geojax.typing import PyTree, Scalar


def bezier_curve(manifold: Manifold, points: PyTree, t: Scalar) -> Any:
    """Point of the Bézier curve of control points on a manifold, by de Casteljau's algorithm.

    b_i^0 = x_i,  b_i^k(t) = geodesic(b_i^(k-1), b_(i+1)^(k-1), t),  and the curve is b_0^(n-1)(t).

    Args:
        manifold: The space.
        points: Control points x_0 .. x_(n-1), stacked on a leading axis; neighbours have one shortest geodesic.
        t: Time, 0 at the first point and 1 at the last.

    Returns:
        The point at time t. The curve starts at x_0 in the direction of x_1, with velocity (n - 1) log_(x_0)(x_1), and
        ends at x_(n-1) in that from x_(n-2); it does not pass through the points between.

    Raises:
        ValueError: At trace time, if there is no point.

    Differentiation: exact, in the points and in t.

    Complexity: n^2 geodesics.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, bezier_curve
        >>> float(bezier_curve(Euclidean(), jnp.array([[0.0], [1.0], [0.0]]), 0.5)[0])
        0.5

    References: [Park1995].
    """
    points, num = stacked.points_of("bezier_curve", manifold, points)
    (t,) = checks.floats("bezier_curve", t=t)
    return _scheme(manifold, points, num, lambda i, k: t)


def interpolating_curve(manifold: Manifold, points: PyTree, times: Float[Array, " n"], t: Scalar) -> Any:
    """Point of a smooth curve that passes through given points of a manifold at given times.

    Neville's scheme with geodesics for straight lines: p_i^0 = x_i and
    p_i^k(t) = geodesic(p_i^(k-1), p_(i+1)^(k-1), (t - t_i) / (t_(i+k) - t_i)); the curve is p_0^(n-1)(t).

    Args:
        manifold: The space.
        points: Points x_0 .. x_(n-1), stacked on a leading axis; close enough that the geodesics, which are followed
            beyond their ends, are the only shortest ones.
        times: Their times, [n], all different.
        t: Time at which to evaluate.

    Returns:
        The point at time t; x_i at t_i. In Euclidean space the interpolating polynomial.

    Raises:
        ValueError: At trace time, if there is no point, or times have another shape.

    Differentiation: exact, in the points, the times and t.

    Complexity: n^2 geodesics. Like polynomials of high degree, the curve swings between many points.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, interpolating_curve
        >>> x = jnp.array([[0.0], [1.0], [4.0]])
        >>> float(interpolating_curve(Euclidean(), x, jnp.array([0.0, 1.0, 2.0]), 1.5)[0])
        2.25

    References: [Neville1934]; [Park1995] for schemes of geodesics.
    """
    where = "interpolating_curve"
    points, num = stacked.points_of(where, manifold, points)
    times = stacked.weights_of(where, times, num, stacked.real_dtype(points), "times")
    (t,) = checks.floats(where, t=t)

    def at(i: Array, k: Array) -> Array:
        later = times[jnp.minimum(i + k, num - 1)]
        # Rows past the end of the triangle go nowhere.
        return jnp.where(i + k < num, (t - times[i]) / jnp.where(i + k < num, later - times[i], 1), 0)

    return _scheme(manifold, points, num, at)


def _scheme(manifold: Manifold, points: PyTree, num: int, at: Callable[[Array, Array], Array]) -> Any:
    """Do n - 1 rounds of geodesics between neighbours, at times that depend on the place and the round."""
    dtype = stacked.real_dtype(points)
    index = jnp.arange(num)
    following = jnp.minimum(index + 1, num - 1)

    def round_(current: Any, k: Array) -> tuple[Any, None]:
        def between(i: Array, x: Any, y: Any) -> Any:
            return manifold._geodesic(x, y, jnp.asarray(at(i, k), dtype))

        neighbours = jax.tree.map(lambda leaf: leaf[following], current)
        return jax.vmap(between)(index, current, neighbours), None

    last, _ = jax.lax.scan(round_, points, jnp.arange(1, num))
    return jax.tree.map(lambda leaf: leaf[0], last)
