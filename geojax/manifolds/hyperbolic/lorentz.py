"""The Lorentz model: hyperbolic space as one sheet of a hyperboloid in Minkowski space."""

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
class Lorentz(WithTransport):
    """Hyperbolic space of curvature -c on the hyperboloid <x, x> = -1 / c, x_0 > 0, of Minkowski space.

    <u, v> = -u_0 v_0 + sum_i u_i v_i, and cosh(sqrt(c) dist(x, y)) = -c <x, y>. Differences of large numbers are
    avoided: distances come from  x' (1 + y_0) - y' (1 + x_0), the stereographic difference (x' is x_1 ... x_n).

    Args:
        c: Minus the curvature, > 0, in 1 / length^2; a leaf, differentiable, traced.

    Returns:
        A manifold whose points are vectors [n + 1] with x_0 = sqrt(1 / c + |x'|^2) first, and whose tangents at x have
        <x, u> = 0. `project` keeps x' and makes x_0 fit; `to_tangent` is orthogonal in Minkowski's product;
        `random_tangent` is normal of unit covariance in the metric. Beyond `max_radius` from (1 / sqrt(c), 0) the
        numbers x_0 and |x'| are no longer different; use `Hyperbolic` there.

    Raises:
        ValueError for a concrete c <= 0. A traced c <= 0 gives NaN.

    Differentiation: exact; `dist` has derivative 0 at x = y. Off the hyperboloid functions are what their formulas say;
    Riemannian gradients do not depend on that.

    Complexity: O(n) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Lorentz
        >>> x = Lorentz(c=1.0).project(jnp.array([1.0, 0.0, 0.0]))
        >>> y = Lorentz(c=1.0).exp(x, jnp.array([0.0, 0.0, 2.0]))
        >>> round(float(Lorentz(c=1.0).dist(x, y)), 4)
        2.0

    References: [Nickel2018]; [Mishne2023] for the largest radius.
    """

    c: Scalar = 1.0

    def __post_init__(self) -> None:
        curvature.check_positive("Lorentz", self.c)

    def max_radius(self, dtype: Any = float) -> jax.Array:
        """Distance from the origin at which x_0^2 - |x'|^2 drowns in rounding: arcsinh(sqrt(2 / eps)) / sqrt(c)."""
        dtype = jax.dtypes.canonicalize_dtype(dtype)
        radius = math.asinh(math.sqrt(2 / jnp.finfo(dtype).eps))
        return radius / jnp.sqrt(curvature.positive(self.c, dtype))

    def _arrays(self, operation, **values):
        arrays = super()._arrays(operation, **values)
        for name, array in zip(values, arrays):
            if array.size == 0:
                raise ValueError(
                    f"Lorentz.{operation}: {name} is empty; expected the time coordinate first, [n + 1]. Prepend it."
                )
        return arrays

    def _on_sheet(self, space):
        """The point with these space coordinates."""
        root = 1 / jnp.sqrt(curvature.positive(self.c, space.dtype))
        largest = jnp.append(space, root)
        return jnp.append(safe.norm(largest)[None], space)

    def _fitted(self, x, space):
        """The tangent vector at x with these space coordinates."""
        return jnp.append((jnp.vdot(x[1:], space) / x[0])[None], space)

    def _at_origin(self, x, u):
        """Space coordinates of u carried to the origin, where the metric is the sum of squares."""
        root = jnp.sqrt(curvature.positive(self.c, x.dtype))
        return u[1:] - u[0] / (x[0] + 1 / root) * x[1:]

    def _project(self, x):
        # 0 * x_0, so that a NaN in the coordinate that is replaced is not lost.
        return self._on_sheet(x[1:] + 0 * x[0])

    def _to_tangent(self, x, u):
        c = curvature.positive(self.c, x.dtype)
        return self._fitted(x, u[1:] + c * (jnp.vdot(x[1:], u[1:]) - x[0] * u[0]) * x[1:])

    def _inner(self, x, u, v):
        return jnp.vdot(self._at_origin(x, u), self._at_origin(x, v))

    def _norm(self, x, u):
        return safe.norm(self._at_origin(x, u))

    def _riemannian_gradient(self, x, gradient):
        return self._to_tangent(x, gradient.at[0].multiply(-1))

    def _exp(self, x, u):
        at_origin = self._at_origin(x, u)
        squared = curvature.positive(self.c, x.dtype) * jnp.vdot(at_origin, at_origin)
        return self._on_sheet(safe.cosh_sqrt(squared) * x[1:] + safe.sinhc_sqrt(squared) * u[1:])

    def _retract(self, x, u):
        # Any space coordinates are those of a point.
        return self._on_sheet(x[1:] + u[1:] + 0 * u[0])

    def _cosh_minus_one(self, x, y):
        root = jnp.sqrt(curvature.positive(self.c, x.dtype))
        x, y = root * x, root * y
        step, total = x[1:] - y[1:], x[1:] + y[1:]
        time = x[0] + y[0]
        apart = step * (1 + time / 2) - total * (jnp.vdot(step, total) / (2 * time))
        # One root at a time: the square of `apart` would overflow float32.
        apart = apart / jnp.sqrt(1 + x[0]) / jnp.sqrt(1 + y[0])
        return jnp.vdot(apart, apart) / 2

    def _squared_dist(self, x, y):
        return safe.squared_arccosh1p(self._cosh_minus_one(x, y)) / curvature.positive(self.c, x.dtype)

    def _log(self, x, y):
        excess = self._cosh_minus_one(x, y)
        return self._fitted(x, safe.length_over_sinh1p(excess) * ((y[1:] - x[1:]) - excess * x[1:]))

    def _parallel_transport(self, x, y, u):
        # u + c <y, u> (x + y) / (1 - c <x, y>), where <y, u> = <y - x, u>.
        c, step = curvature.positive(self.c, x.dtype), y[1:] - x[1:]
        time_step = jnp.vdot(step, x[1:] + y[1:]) / (x[0] + y[0])
        along = jnp.vdot(step, u[1:]) - time_step * u[0]
        carried = u[1:] + c * along / (2 + self._cosh_minus_one(x, y)) * (x[1:] + y[1:])
        return self._fitted(y, carried)

    def _sectional_curvature(self, x, u, v):
        products = (self._inner(x, a, b) for a, b in ((u, u), (v, v), (u, v)))
        return constant_curvature(-curvature.positive(self.c, x.dtype), *products)

    def _random_point(self, key, shape, dtype):
        space = jax.random.normal(key, (shape[0] - 1,), dtype)
        origin = self._on_sheet(jnp.zeros_like(space))
        step = space / jnp.sqrt(curvature.positive(self.c, dtype))
        return self._exp(origin, jnp.append(jnp.zeros(1, dtype), step))

    def _random_tangent(self, key, x):
        c = curvature.positive(self.c, x.dtype)
        at_origin = jax.random.normal(key, (x.size - 1,), x.dtype)
        along = c * jnp.vdot(x[1:], at_origin) / (1 + jnp.sqrt(c) * x[0])
        return self._fitted(x, at_origin + along * x[1:])

    def _dimension(self, x):
        return x.size - 1
