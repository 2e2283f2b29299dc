"""The unsigned distance to a set of triangles in space."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct


@struct
class TriangleDistance:
    """Distance from points to a set of triangles.

    Attributes:
        dist: Distance of each point, [n].
        gradient: Its gradient with respect to the point, [n, 3]: the unit vector away from `nearest`, 0 on a triangle.
        nearest: The nearest point of the triangles, [n, 3].
    """

    dist: Float[Array, " n"]
    gradient: Float[Array, "n 3"]
    nearest: Float[Array, "n 3"]


@rounded_once
def point_triangle_udf(points: Float[Array, "n 3"], triangles: Float[Array, "m 3 3"]) -> TriangleDistance:
    """Unsigned distance from points in space to a set of triangles, open or closed, and its gradient.

    dist(p) = min over triangles and their points q of |p - q|.

    Args:
        points: Points, [n, 3].
        triangles: Corners of the triangles, [m, 3 corners, 3], m >= 1; a triangle may be a segment or a point.

    Returns:
        TriangleDistance, exact to rounding; of several nearest triangles the first one counts.

    Raises:
        ValueError: At trace time, if the shapes are not these or there is no triangle.

    Differentiation: exact if there is one nearest point; `dist` has derivative 0 on a triangle.

    Complexity: O(n m).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import point_triangle_udf
        >>> triangle = jnp.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> point_triangle_udf(jnp.array([[0.2, 0.2, 3.0], [-2.0, 0.0, 0.0]]), triangle).dist.tolist()
        [3.0, 2.0]

    References: [Eberly1999]; [YuDou2024] for its use on surfaces of any topology.
    """
    where = "point_triangle_udf"
    points, triangles = checks.floats(where, points=points, triangles=triangles)
    m = checks.shapes(where, points=(points, "n 3"), triangles=(triangles, "m 3 3"))["m"]
    if m == 0:
        raise ValueError(
            f"{where}: triangles has none; expected at least one. The distance to nothing is not defined."
        )

    def one(p: Array) -> tuple[Array, Array, Array]:
        nearest = jax.vmap(lambda triangle: _nearest(p, triangle))(triangles)
        squared = jnp.sum(jnp.square(p - nearest), axis=1)
        q = nearest[jnp.argmin(squared)]
        away = p - q
        dist = safe.norm(away)
        return dist, away / jnp.where(dist > 0, dist, 1), q

    return TriangleDistance(*jax.vmap(one)(points))


def _nearest(p: Array, triangle: Array) -> Array:
    """The foot of p on the plane if it is inside, else the nearest point of the three edges."""
    a, b, c = triangle
    on_edges = jnp.stack([_on_segment(p, *ends) for ends in ((a, b), (b, c), (c, a))])
    best = on_edges[jnp.argmin(jnp.sum(jnp.square(p - on_edges), axis=1))]
    u, v, w = b - a, c - a, p - a
    uu, uv, vv, uw, vw = u @ u, u @ v, v @ v, u @ w, v @ w
    area = uu * vv - uv * uv
    # A triangle without area has no inside, only edges.
    solid = area > 16 * jnp.finfo(p.dtype).eps * uu * vv
    s, t = (vv * uw - uv * vw), (uu * vw - uv * uw)
    inside = solid & (s >= 0) & (t >= 0) & (s + t <= area)
    scale = jnp.where(solid, area, 1)
    foot = a + (s / scale) * u + (t / scale) * v
    return jnp.where(jnp.isnan(area), jnp.nan, jnp.where(inside, foot, best))


def _on_segment(p: Array, a: Array, b: Array) -> Array:
    edge = b - a
    squared = edge @ edge
    share = (p - a) @ edge / jnp.where(squared > 0, squared, 1)
    return a + jnp.clip(share, 0, 1) * edge
