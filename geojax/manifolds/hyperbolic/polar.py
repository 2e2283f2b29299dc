"""Hyperbolic space in coordinates that reach very far: a point is the tangent vector at an origin that leads to it."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import safe
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport, constant_curvature
from geojax.manifolds.hyperbolic import triangle as triangle


@struct
class Hyperbolic(WithTransport):
    """Hyperbolic space of curvature -1 in the Euclidean parametrisation: z in R^n stands for exp_0(z).

    The distance of z from the origin is |z|, and <u, v>_z = u_r v_r + (sinh|z| / |z|)^2 <u_s, v_s>, where
    u = u_r z / |z| + u_s splits into a part along the ray and one orthogonal to it. With radii a, b and the angle t
    between x and y, sinh(dist / 2)^2 = sinh((a - b) / 2)^2 + sinh(a) sinh(b) sin(t / 2)^2.

    Args:
        (none): It has no parameters. For curvature -c multiply z by sqrt(c), and divide distances by it.

    Returns:
        A manifold whose points are any vectors [n]. Distances are right to rounding up to `max_radius` (88 in float32,
        709 in float64), at radii at which the ball and the hyperboloid have run out of numbers. Angles are computed
        from the coordinates in memory with twice the digits, as an ulp of angle at radius 40 is a long way. For the
        same reason the coordinates of a tangent vector far out (from about 14 in float32 and 34 in float64) hold both a
        radial and a sideways part only if the point lies on an axis: where they do not, `log` and `parallel_transport`
        are NaN. `dist` and `geodesic` store no tangent and stay right. `retract` adds; `vector_transport` carries along
        the rays.

    Differentiation: exact; `dist` has derivative 0 at x = y.

    Complexity: O(n) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Hyperbolic
        >>> x, y = jnp.array([40.0, 0.0]), jnp.array([0.0, 40.0])
        >>> round(float(Hyperbolic().dist(x, y)), 3)
        79.307

    References: [Mishne2023].
    """

    def max_radius(self, dtype: Any = float) -> Float[Array, ""]:
        """Largest radius with a hyperbolic sine in the given dtype: log of its largest number."""
        dtype = jax.dtypes.canonicalize_dtype(dtype)
        return jnp.asarray(math.log(float(jnp.finfo(dtype).max)), dtype)

    def to_ball(self, x: Float[Array, " n"]) -> Float[Array, " n"]:
        """The point in the Poincare ball of curvature -1: tanh(|x| / 2) x / |x|."""
        return self._run("to_ball", x=x)

    def from_ball(self, point: Float[Array, " n"]) -> Float[Array, " n"]:
        """The inverse of `to_ball`; NaN outside the ball, infinite on its boundary."""
        return self._run("from_ball", point=point)

    def to_hyperboloid(self, x: Float[Array, " n"]) -> Float[Array, " n+1"]:
        """The point of the Lorentz model of curvature -1: (cosh|x|, sinh|x| x / |x|)."""
        return self._run("to_hyperboloid", x=x)

    def from_hyperboloid(self, point: Float[Array, " n+1"]) -> Float[Array, " n"]:
        """The inverse of `to_hyperboloid`."""
        return self._run("from_hyperboloid", point=point)

    def _to_ball(self, x):
        return safe.tanhc_sqrt(jnp.vdot(x, x) / 4) * x / 2

    def _from_ball(self, point):
        return 2 * safe.arctanhc_sqrt(jnp.vdot(point, point)) * point

    def _to_hyperboloid(self, x):
        squared = jnp.vdot(x, x)
        return jnp.append(safe.cosh_sqrt(squared)[None], safe.sinhc_sqrt(squared) * x)

    def _from_hyperboloid(self, point):
        time, space = point[0], point[1:]
        return safe.length_over_sinh1p(jnp.vdot(space, space) / (1 + time)) * space

    def _project(self, x):
        return x

    def _to_tangent(self, x, u):
        return u

    def _inner(self, x, u, v):
        return jnp.vdot(triangle.frame(x, u), triangle.frame(x, v))

    def _norm(self, x, u):
        return safe.norm(triangle.frame(x, u))

    def _riemannian_gradient(self, x, gradient):
        return triangle.unframe(x, triangle.unframe(x, gradient))

    def _exp(self, x, u):
        return triangle.translate(-x, triangle.frame(x, u))

    def _retract(self, x, u):
        return x + u

    def _vector_transport(self, x, u, v):
        return triangle.unframe(x + u, triangle.frame(x, v))

    def _log(self, x, y):
        return triangle.held(x, triangle.translate(x, y))

    def _geodesic(self, x, y, t):
        return triangle.translate(-x, t * triangle.translate(x, y))  # no tangent is stored at x

    def _squared_dist(self, x, y):
        return triangle.third_side(x, y).squared()

    def _parallel_transport(self, x, y, u):
        return triangle.held(y, triangle.rotate(x, y, triangle.frame(x, u)))

    def _sectional_curvature(self, x, u, v):
        return constant_curvature(-1, self._inner(x, u, u), self._inner(x, v, v), self._inner(x, u, v))

    def _random_point(self, key, shape, dtype):
        return jax.random.normal(key, shape, dtype)

    def _dimension(self, x):
        return x.size
