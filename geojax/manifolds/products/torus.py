"""The flat torus: angles, each modulo a full turn."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
from jax import lax

from geojax._core import compensated
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport, constant_curvature

# 2 pi to 50 digits, split for each dtype into the nearest number and the rest.
_TURN = Fraction(62831853071795864769252867665590057683943387987502, 10**49)


@struct
class Torus(WithTransport):
    """Angles in radians, each modulo 2 pi, with <u, v> = sum u_i v_i.

    log(x, y)_i is y_i - x_i minus the nearest multiple of 2 pi, and dist(x, y) the norm of the logarithm.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are vectors [n] of angles between -pi and pi. Differences across the seam are as
        accurate as elsewhere. A logarithm is unique unless two angles are half a turn apart.

    Differentiation: exact; `dist` has derivative 0 at x = y.

    Complexity: O(n) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Torus
        >>> round(float(Torus().dist(jnp.array([3.0]), jnp.array([-3.0]))), 4)
        0.2832

    References: none; the product of circles of elementary geometry.
    """

    def _project(self, x):
        return _reduced(x, jnp.zeros_like(x))

    def _to_tangent(self, x, u):
        return u

    def _inner(self, x, u, v):
        return jnp.vdot(u, v)

    def _exp(self, x, u):
        return _reduced(*compensated.two_sum(x, u))

    def _log(self, x, y):
        return _reduced(*compensated.two_sum(y, -x))

    def _squared_dist(self, x, y):
        return jnp.sum(jnp.square(self._log(x, y)))

    def _parallel_transport(self, x, y, u):
        return u

    def _vector_transport(self, x, u, v):
        return v

    def _unique(self, x, y):
        half_turns = jnp.abs(jnp.abs(self._log(x, y)) - math.pi)
        return jnp.all(half_turns > 4 * math.pi * jnp.finfo(x.dtype).eps)

    def _sectional_curvature(self, x, u, v):
        return constant_curvature(0, jnp.vdot(u, u), jnp.vdot(v, v), jnp.vdot(u, v))

    def _random_point(self, key, shape, dtype):
        return jax.random.uniform(key, shape, dtype, minval=-math.pi, maxval=math.pi)

    def _dimension(self, x):
        return x.size


def _reduced(angle, rest):
    """The sum of two parts of an angle, minus the nearest multiple of a full turn."""
    high = jnp.asarray(float(_TURN), angle.dtype)
    low = jnp.asarray(
        float(_TURN - Fraction(float(jnp.finfo(angle.dtype).dtype.type(float(_TURN))))), angle.dtype
    )
    turns = lax.stop_gradient(jnp.round(angle / high))
    return (angle - turns * high) + (rest - turns * low)
