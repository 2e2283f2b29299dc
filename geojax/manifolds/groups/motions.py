"""Maps x -> A x + t of R^n as homogeneous matrices: the base of rigid motions and affine maps."""

from typing import ClassVar

import jax
import jax.numpy as jnp

from geojax.manifolds.base.geodesics import WithTransport, plane_area


class Motions(WithTransport):
    """Matrices [[A, t], [0, 1]] with the product of a metric on A and the Euclidean one on t."""

    point_shape = "m m"
    _linear: ClassVar[WithTransport]

    def _project(self, x):
        return motion(self._linear._project(x[:-1, :-1]), x[:-1, -1])

    def _to_tangent(self, x, u):
        return _joined(self._linear._to_tangent(x[:-1, :-1], u[:-1, :-1]), u[:-1, -1])

    def _inner(self, x, u, v):
        return self._linear._inner(x[:-1, :-1], u[:-1, :-1], v[:-1, :-1]) + jnp.vdot(u[:-1, -1], v[:-1, -1])

    def _riemannian_gradient(self, x, gradient):
        turning = self._linear._riemannian_gradient(x[:-1, :-1], gradient[:-1, :-1])
        return _joined(turning, gradient[:-1, -1])

    def _exp(self, x, u):
        return motion(self._linear._exp(x[:-1, :-1], u[:-1, :-1]), x[:-1, -1] + u[:-1, -1])

    def _retract(self, x, u):
        return motion(self._linear._retract(x[:-1, :-1], u[:-1, :-1]), x[:-1, -1] + u[:-1, -1])

    def _vector_transport(self, x, u, v):
        turned = self._linear._vector_transport(x[:-1, :-1], u[:-1, :-1], v[:-1, :-1])
        return _joined(turned, v[:-1, -1])

    def _log(self, x, y):
        return _joined(self._linear._log(x[:-1, :-1], y[:-1, :-1]), y[:-1, -1] - x[:-1, -1])

    def _squared_dist(self, x, y):
        moved = jnp.sum(jnp.square(y[:-1, -1] - x[:-1, -1]))
        return self._linear._squared_dist(x[:-1, :-1], y[:-1, :-1]) + moved

    def _unique(self, x, y):
        return self._linear._unique(x[:-1, :-1], y[:-1, :-1])

    def _parallel_transport(self, x, y, u):
        turned = self._linear._parallel_transport(x[:-1, :-1], y[:-1, :-1], u[:-1, :-1])
        return _joined(turned, u[:-1, -1])

    def _sectional_curvature(self, x, u, v):
        # A product with a flat space: its plane has the curvature of the part in A, times the share of the area there.
        linear, turn_u, turn_v = x[:-1, :-1], u[:-1, :-1], v[:-1, :-1]
        pairs = ((turn_u, turn_u), (turn_v, turn_v), (turn_u, turn_v))
        area = plane_area(*(self._linear._inner(linear, a, b) for a, b in pairs))
        curved = jnp.where(area == 0, 0, area * self._linear._sectional_curvature(linear, turn_u, turn_v))
        return curved / plane_area(self._inner(x, u, u), self._inner(x, v, v), self._inner(x, u, v))

    def _random_point(self, key, shape, dtype):
        turning, moving = jax.random.split(key)
        n = shape[0] - 1
        turn = self._linear._random_point(turning, (n, n), dtype)
        return motion(turn, jax.random.normal(moving, (n,), dtype))

    def _dimension(self, x):
        n = len(x) - 1
        return self._linear._dimension(x[:-1, :-1]) + n


def motion(turn, shift):
    """The homogeneous matrix of x -> turn x + shift."""
    return jnp.eye(len(shift) + 1, dtype=turn.dtype).at[:-1, :-1].set(turn).at[:-1, -1].set(shift)


def _joined(turning, shifting):
    n = len(shifting)
    return jnp.zeros((n + 1, n + 1), turning.dtype).at[:-1, :-1].set(turning).at[:-1, -1].set(shifting)
