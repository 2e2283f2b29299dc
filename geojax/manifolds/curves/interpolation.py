"""Curves near several points of a manifold, by repeated geodesic interpolation."""

from typing import Any

import jax
import jax.numpy as jnp

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.manifolds.base import stacked
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.typing import PyTree, Scalar


@rounded_once
def bezier_curve(manifold: WithLog, points: PyTree, t: Scalar) -> Any:
    """Point of the Bézier curve of control points on a manifold, by de Casteljau's algorithm.

    b_i^0 = x_i,  b_i^k(t) = geodesic(b_i^(k-1), b_(i+1)^(k-1), t),  and the curve is b_0^(n-1)(t).

    Args:
        manifold: The space.
        points: Control points x_0 .. x_(n-1), stacked on a leading axis; neighbours have one shortest geodesic.
        t: Time, 0 at the first point and 1 at the last.

    Returns:
        The point at time t. The curve starts at x_0 in the direction of x_1, with velocity (n - 1) log_(x_0)(x_1), and
        ends at x_(n-1) in that from x_(n-2); it does not pass through the points in between.

    Raises:
        ValueError: At trace time, if there is no point.
        TypeError: If the manifold is none, or has no logarithm.

    Differentiation: exact, in the points and in t.

    Complexity: n^2 geodesics.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds import bezier_curve
        >>> float(bezier_curve(Euclidean(), jnp.array([[0.0], [1.0], [0.0]]), 0.5)[0])
        0.5

    References: [Park1995].
    """
    check_manifold("bezier_curve", manifold, "log")
    points, num = stacked.points_of("bezier_curve", manifold, points)
    (t,) = checks.floats("bezier_curve", t=t)
    t = t.astype(stacked.real_dtype(points))
    following = jnp.minimum(jnp.arange(num) + 1, num - 1)

    # Each round makes one point fewer; the rows beyond them are computed too, and not used.
    def shorten(current: Any, _: None) -> tuple[Any, None]:
        neighbours = jax.tree.map(lambda leaf: leaf[following], current)
        return jax.vmap(lambda x, y: manifold._geodesic(x, y, t))(current, neighbours), None

    last, _ = jax.lax.scan(shorten, points, length=num - 1)
    return jax.tree.map(lambda leaf: leaf[0], last)
