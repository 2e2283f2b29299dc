"""The Poincare ball: hyperbolic space in the open ball, seen without distortion of angles."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport, constant_curvature
from geojax.manifolds.hyperbolic import curvature
from geojax.typing import Scalar


@struct
class PoincareBall(WithTransport):
    """Hyperbolic space of curvature -c in the ball c |x|^2 < 1, conformal to the flat metric.

    <u, v>_x = 4 u.v / a(x)^2 with a(x) = 1 - c |x|^2, and  cosh(sqrt(c) dist(x, y)) = 1 + 2 c |x - y|^2 / (a(x) a(y)).
    With L the length over its hyperbolic sine,  log_x(y) = L (a(x) (y - x) - c |y - x|^2 x) / a(y).

    Args:
        c: Minus the curvature, > 0, in 1 / length^2; a leaf, differentiable, traced.

    Returns:
        A manifold whose points are vectors [n] with c |x|^2 < 1. Every vector is tangent; `retract` is `exp`, and
        `vector_transport` keeps direction and length. Few numbers are near the boundary: `exp` and `project` give
        no point farther from the origin than `max_radius`. For points farther out use `Hyperbolic`.

    Raises:
        ValueError for a concrete c <= 0. A traced c <= 0 gives NaN, and so does a point outside the ball.

    Differentiation: exact; `dist` has derivative 0 at x = y. If a point is held back at the boundary, derivatives are
    those of the projection.

    Complexity: O(n) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import PoincareBall
        >>> x = PoincareBall(c=1.0).exp(jnp.zeros(2), jnp.array([0.5, 0.0]))
        >>> round(float(PoincareBall(c=1.0).dist(jnp.zeros(2), x)), 4)
        1.0

    References: [Ganea2018]; [Mishne2023] for the largest radius.
    """

    c: Scalar = 1.0

    def __post_init__(self) -> None:
        curvature.check_positive("PoincareBall", self.c)

    def max_radius(self, dtype: Any = float) -> jax.Array:
        """Distance from the origin to the last numbers before the boundary: log(4 / eps) / sqrt(c)."""
        dtype = jax.dtypes.canonicalize_dtype(dtype)
        return math.log(4 / jnp.finfo(dtype).eps) / jnp.sqrt(curvature.positive(self.c, dtype))

    def _boundary_gap(self, x):
        """a(x), or eps if rounding puts a point on the boundary; NaN outside."""
        eps = jnp.finfo(x.dtype).eps
        gap = 1 - curvature.positive(self.c, x.dtype) * jnp.vdot(x, x)
        return jnp.where(gap >= -4 * (1 + x.size) * eps, jnp.maximum(gap, eps), jnp.nan)

    def _project(self, x):
        root = jnp.sqrt(curvature.positive(self.c, x.dtype))
        last = 1 - jnp.finfo(x.dtype).epsneg
        outside = root * safe.norm(x) > last
        onto = jnp.where(outside, x, 1)
        return jnp.where(outside, last * onto / (root * safe.norm(onto)), x * (root / root))

    def _to_tangent(self, x, u):
        return u * (self._boundary_gap(x) / self._boundary_gap(x))

    def _inner(self, x, u, v):
        gap = self._boundary_gap(x)
        return 4 * jnp.vdot(u / gap, v / gap)

    def _norm(self, x, u):
        return 2 * safe.norm(u / self._boundary_gap(x))

    def _riemannian_gradient(self, x, gradient):
        return jnp.square(self._boundary_gap(x) / 2) * gradient

    def _exp(self, x, u):
        c, gap = curvature.positive(self.c, x.dtype), self._boundary_gap(x)
        # The step to the Moebius sum x + w has |w| = tanh(t / 2) / sqrt(c), where t / 2 = sqrt(c) |u| / a(x).
        u = u / gap
        half = c * jnp.vdot(u, u)
        tanhc = safe.tanhc_sqrt(half)
        squared_tanh = half * tanhc * tanhc
        moved = x + tanhc * u
        denominator = gap * (1 - squared_tanh) + c * jnp.vdot(moved, moved)
        return self._project(x + gap * (squared_tanh * x + tanhc * u) / denominator)

    def _vector_transport(self, x, u, v):
        return v * (self._boundary_gap(self._retract(x, u)) / self._boundary_gap(x))

    def _cosh_minus_one(self, x, y):
        c, apart = curvature.positive(self.c, x.dtype), jnp.sum(jnp.square(x - y))
        # Divided one by one: the derivatives of the product of the gaps would underflow in float32.
        return 2 * c * apart / self._boundary_gap(x) / self._boundary_gap(y)

    def _squared_dist(self, x, y):
        return safe.squared_arccosh1p(self._cosh_minus_one(x, y)) / curvature.positive(self.c, x.dtype)

    def _log(self, x, y):
        c, step = curvature.positive(self.c, x.dtype), y - x
        ratio = safe.length_over_sinh1p(self._cosh_minus_one(x, y)) / self._boundary_gap(y)
        return ratio * (self._boundary_gap(x) * step - c * jnp.vdot(step, step) * x)

    def _parallel_transport(self, x, y, u):
        # The gyration of y and -x, written in the step y - x so that nothing cancels, and the ratio of the scales.
        c, step = curvature.positive(self.c, x.dtype), y - x
        gap, other = self._boundary_gap(x), self._boundary_gap(y)
        squared, along, xu, du = (jnp.vdot(a, b) for a, b in ((step, step), (x, step), (x, u), (step, u)))
        first = 2 * c * along * xu - gap * xu - c * jnp.vdot(x, x) * du
        second = gap * du - c * squared * xu
        turned = u + 2 * c * (first * step + second * x) / (gap * other + c * squared)
        return (other / gap) * turned

    def _sectional_curvature(self, x, u, v):
        c = curvature.positive(self.c, x.dtype)
        return constant_curvature(-c, jnp.vdot(u, u), jnp.vdot(v, v), jnp.vdot(u, v))

    def _random_point(self, key, shape, dtype):
        # A normal step from the origin, of unit covariance in the metric and in units of 1 / sqrt(c).
        scale = 2 * jnp.sqrt(curvature.positive(self.c, dtype))
        return self._exp(jnp.zeros(shape, dtype), jax.random.normal(key, shape, dtype) / scale)

    def _dimension(self, x):
        return x.size
