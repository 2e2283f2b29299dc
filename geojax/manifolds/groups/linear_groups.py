"""GL+(n) and SL(n) with the product metric of their polar decomposition."""

import jax
import jax.numpy as jnp

from geojax._core.matrices import linalg
from geojax._core.matrices.linalg import symmetric
from geojax._core.struct import struct
from geojax._core.trigonometric import exp_skew
from geojax.manifolds.base.geodesics import WithTransport, plane_area
from geojax.manifolds.frames.orthonormal import skew
from geojax.manifolds.groups.polar_coordinates import polar_factors
from geojax.manifolds.groups.special_orthogonal import SpecialOrthogonal

_TURNS = SpecialOrthogonal()


class PolarGroup(WithTransport):
    """Matrices R exp(S) of positive determinant, isometric to SO(n) x symmetric matrices; the base of such groups."""

    point_shape = "n n"

    def _to_tangent(self, x, u):
        return u

    def _inner(self, x, u, v):
        (turn_u, stretch_u), (turn_v, stretch_v) = _pulled(x, u), _pulled(x, v)
        return jnp.vdot(turn_u, turn_v) / 2 + jnp.vdot(stretch_u, stretch_v)

    def _riemannian_gradient(self, x, gradient):
        turn, stretch = _chart(x)
        _, pull = jax.vjp(_unchart, turn, stretch)
        turning, stretching = pull(gradient)
        return self._to_tangent(
            x, _pushed(turn, stretch, 2 * skew(turn.T @ turning), self._free(symmetric(stretching)))
        )

    def _free(self, stretching):
        """The part of a change of S that stays in the group."""
        return stretching

    def _exp(self, x, u):
        turn, stretch = _chart(x)
        turning, stretching = _pulled(x, u)
        return _unchart(turn @ exp_skew(turning), stretch + stretching)

    def _log(self, x, y):
        (turn_x, stretch_x), (turn_y, stretch_y) = _chart(x), _chart(y)
        turning = turn_x.T @ _TURNS._log(turn_x, turn_y)
        return _pushed(turn_x, stretch_x, turning, stretch_y - stretch_x)

    def _squared_dist(self, x, y):
        (turn_x, stretch_x), (turn_y, stretch_y) = _chart(x), _chart(y)
        return _TURNS._squared_dist(turn_x, turn_y) + jnp.sum(jnp.square(stretch_x - stretch_y))

    def _parallel_transport(self, x, y, u):
        (turn_x, _), (turn_y, stretch_y) = _chart(x), _chart(y)
        turning, stretching = _pulled(x, u)
        moved = _TURNS._parallel_transport(turn_x, turn_y, turn_x @ turning)
        return _pushed(turn_y, stretch_y, turn_y.T @ moved, stretching)

    def _sectional_curvature(self, x, u, v):
        # A product with a flat space: the rotations alone are curved.
        (turn_u, stretch_u), (turn_v, stretch_v) = _pulled(x, u), _pulled(x, v)
        bracket = turn_u @ turn_v - turn_v @ turn_u
        uu = jnp.vdot(turn_u, turn_u) / 2 + jnp.vdot(stretch_u, stretch_u)
        vv = jnp.vdot(turn_v, turn_v) / 2 + jnp.vdot(stretch_v, stretch_v)
        uv = jnp.vdot(turn_u, turn_v) / 2 + jnp.vdot(stretch_u, stretch_v)
        return jnp.vdot(bracket, bracket) / 8 / plane_area(uu, vv, uv)

    def _vector_transport(self, x, u, v):
        turning, stretching = _pulled(x, v)
        return _pushed(*_chart(self._exp(x, u)), turning, stretching)

    def _unique(self, x, y):
        return _TURNS._unique(_chart(x)[0], _chart(y)[0])

    def _random_point(self, key, shape, dtype):
        turning, stretching = jax.random.split(key)
        stretch = symmetric(jax.random.normal(stretching, shape, dtype)) / 2
        return _unchart(_TURNS._random_point(turning, shape, dtype), self._free(stretch))


@struct
class GeneralLinear(PolarGroup):
    """Matrices with positive determinant, with the metric of SO(n) x symmetric matrices in polar coordinates.

    With x = R exp(S), R in SO(n) and S symmetric:  |u|^2 = |R^T dR|_F^2 / 2 + |dS|_F^2,  so geodesics are
    R exp(t A) exp(S + t B) and dist^2 is the sum of squared angles between the rotations and |S_x - S_y|_F^2.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, n] with det > 0: open, so every matrix is a tangent. The metric is that
        of the chart: complete, and invariant under rotations from the left, but not under the group. NaN if det <= 0.
        `retract` is `exp`. Logarithms are unique if those of the rotations are.

    Differentiation: exact unless the rotations are opposite.

    Complexity: O(n^3), some eigendecompositions of n x n matrices.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import GeneralLinear
        >>> round(float(GeneralLinear().dist(jnp.eye(2), jnp.diag(jnp.array([-1.0, -1.0])))), 4)
        3.1416

    References: [Mironenco2024].
    """

    def _project(self, x):
        return jnp.where(jnp.linalg.det(linalg.polar(jax.lax.stop_gradient(x))) > 0, x, jnp.nan)

    def _dimension(self, x):
        return x.size


@struct
class SpecialLinear(PolarGroup):
    """Matrices with determinant 1, with the metric of SO(n) x symmetric matrices of trace 0 in polar coordinates.

    A totally geodesic part of `GeneralLinear`, with the same metric: det x = exp(tr S).

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, n] of determinant 1; tangents have tr(x^-1 u) = 0. `project` divides by
        the n-th root of the determinant, NaN if that is not positive; `retract` is `exp`, and reaches every point,
        which the matrix exponential does not.

    Differentiation: exact unless the rotations are opposite.

    Complexity: O(n^3), some eigendecompositions of n x n matrices.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SpecialLinear
        >>> far = jnp.diag(jnp.array([-2.0, -0.5]))
        >>> bool(jnp.allclose(SpecialLinear().exp(jnp.eye(2), SpecialLinear().log(jnp.eye(2), far)), far, atol=1e-5))
        True

    References: [Mironenco2024].
    """

    def _project(self, x):
        sign, logarithm = jnp.linalg.slogdet(x)
        return jnp.where(sign > 0, x * jnp.exp(-logarithm / len(x)), jnp.nan)

    def _to_tangent(self, x, u):
        normal = jnp.linalg.inv(x).T
        return u - normal * (jnp.vdot(normal, u) / jnp.vdot(normal, normal))

    def _free(self, stretching):
        return stretching - jnp.trace(stretching) / len(stretching) * jnp.eye(
            len(stretching), dtype=stretching.dtype
        )

    def _dimension(self, x):
        return x.size - 1


def _chart(x):
    turn, stretch = polar_factors(x)
    return turn, linalg.logm(stretch)


def _unchart(turn, stretch):
    return turn @ linalg.expm(stretch)


def _pulled(x, u):
    """The tangent u at x in the chart: R^T dR and dS."""
    (turn, _), (turning, stretching) = jax.jvp(_chart, (x,), (u,))
    return skew(turn.T @ turning), symmetric(stretching)


def _pushed(turn, stretch, turning, stretching):
    return jax.jvp(_unchart, (turn, stretch), (turn @ turning, stretching))[1]
