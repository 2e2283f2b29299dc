"""The unit sphere with the metric of the space around it."""

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport, constant_curvature


@struct
class Sphere(WithTransport):
    """Unit vectors, at angles to each other: {x in R^n : |x| = 1} with <u, v> = sum u_i v_i.

    exp(x, u) = cos|u| x + sin|u| u / |u|, and dist(x, y) is the angle, 2 arctan2(|x - y|, |x + y|).

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are vectors [n] of norm 1; distances are angles in radians, at most pi. `retract`
        divides by the norm. At antipodal points every great circle is shortest: `log` takes one of them, and
        `log_with_info` says that it is not unique.

    Differentiation: exact; `dist` has derivative 0 at x = y. At antipodal points there is no
        derivative, and the result is finite.

    Complexity: O(n) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere
        >>> x, y = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
        >>> round(float(Sphere().dist(x, y)), 4)
        1.5708

    References: [Absil2008].
    """

    def _project(self, x):
        # Zero has no nearest unit vector: 0 / 0 is NaN.
        return x / safe.norm(x)

    def _to_tangent(self, x, u):
        return u - jnp.vdot(x, u) * x

    def _inner(self, x, u, v):
        return jnp.vdot(u, v)

    def _norm(self, x, u):
        return safe.norm(u)

    def _exp(self, x, u):
        squared = jnp.vdot(u, u)
        return safe.cos_sqrt(squared) * x + safe.sinc_sqrt(squared) * u

    def _retract(self, x, u):
        moved = x + u
        return moved / safe.norm(moved)

    def _log(self, x, y):
        cut = self._cut(x, y)
        # Near the antipode y - cos(angle) x has lost digits of its length, and only its direction is used.
        z = jnp.where(cut, 1, _one_minus_cosine(x, y))
        across = jnp.where(cut, _any_tangent(x), (y - x) + z * x)
        angle = safe.sqrt(self._squared_dist(x, y))
        far = angle * across / safe.norm(jnp.where(z < 1, x, across))
        return jnp.where(z < 1, safe.angle_over_sine1m(jnp.where(z < 1, z, 0)) * across, far)

    def _mean_log(self, x, points, shares):
        # sum_i s_i t_i / sin(t_i) (x_i - cos(t_i) x), in two passes over the points and one product.
        apart, together = jnp.sum(jnp.square(points - x), axis=1), jnp.sum(jnp.square(points + x), axis=1)
        cut = together <= 16 * x.size * jnp.finfo(x.dtype).eps ** 2
        near = apart <= together
        z = jnp.where(near, apart / 2, 2 - together / 2)
        wide = jnp.where(near | cut, 1, apart * together)
        far = 2 * safe.sqrt(safe.squared_angle(apart, together)) / jnp.sqrt(wide)
        ratio = shares * jnp.where(near, safe.angle_over_sine1m(jnp.where(near, z, 0)), far)
        ratio = jnp.where(cut, 0, ratio)  # of an antipode every direction is as good as its opposite
        return ratio @ points + jnp.sum(ratio * (z - 1)) * x

    def _squared_dist(self, x, y):
        return safe.squared_angle(jnp.sum(jnp.square(x - y)), jnp.sum(jnp.square(x + y)))

    def _parallel_transport(self, x, y, u):
        # u - <y, u> (x + y) / (1 + <x, y>): the plane of the geodesic is turned, its complement is not.
        cut = self._cut(x, y)
        one_plus_cosine = jnp.where(cut, 1, jnp.sum(jnp.square(x + y)) / 2)
        carried = u - jnp.vdot(y, u) / one_plus_cosine * (x + y)
        along = _any_tangent(x)
        return jnp.where(cut, u - 2 * jnp.vdot(along, u) * along, carried)

    def _unique(self, x, y):
        return ~self._cut(x, y)

    def _cut(self, x, y):
        """Antipodal to rounding."""
        return jnp.sum(jnp.square(x + y)) <= 16 * x.size * jnp.finfo(x.dtype).eps ** 2

    def _sectional_curvature(self, x, u, v):
        return constant_curvature(1, jnp.vdot(u, u), jnp.vdot(v, v), jnp.vdot(u, v))

    def _random_point(self, key, shape, dtype):
        return self._project(jax.random.normal(key, shape, dtype))

    def _dimension(self, x):
        return x.size - 1


def _one_minus_cosine(x, y):
    """1 - <x, y> of unit vectors, without cancellation at either end."""
    apart, together = jnp.sum(jnp.square(x - y)), jnp.sum(jnp.square(x + y))
    return jnp.where(apart <= together, apart / 2, 2 - together / 2)


def _any_tangent(x):
    """A unit vector orthogonal to x: the projection of the coordinate axis furthest from x."""
    x = jax.lax.stop_gradient(x)
    axis = jnp.zeros_like(x).at[jnp.argmin(jnp.abs(x))].set(1)
    across = axis - jnp.vdot(x, axis) * x
    return across / safe.norm(across)
