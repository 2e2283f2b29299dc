"""Rotations of R^n with the metric that measures them by their angles."""

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.matrices.linalg import lyapunov, symmetric
from geojax._core.matrices.polar import polar_frame
from geojax._core.struct import struct
from geojax._core.trigonometric import exp1m_skew, exp_skew
from geojax.manifolds.base.geodesics import InvariantGroup, plane_area
from geojax.manifolds.frames.orthonormal import skew
from geojax.manifolds.groups.rotation_log import rotation_log


@struct
class SpecialOrthogonal(InvariantGroup):
    """Rotations: {x in R^(n x n) : x^T x = 1, det x = 1}, with the bi-invariant metric <u, v> = tr(u^T v) / 2.

    exp(x, x A) = x e^A for skew A, and dist(x, y)^2 = sum of the squared angles by which x^T y turns its planes.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are rotation matrices [n, n]; distances are angles in radians (the angle of x^T y for
        n = 2 and 3). `project` gives the nearest rotation, NaN if there are several; `retract` the polar factor of
        x + u. Between a rotation and a reflection there
        is no distance: NaN. If x^T y turns a plane by pi the logarithm is not unique: `log` takes one, `log_with_info`
        says so. `vector_transport` is left translation.

    Differentiation: exact, at the identity and at equal angles too. Within 10^-3 of the angle pi in float32, 10^-4 in
        float64, derivatives of `log` are finite, but not exact.

    Complexity: O(n^3): products only in `exp` and `retract`; one n x n eigendecomposition in `log` and `dist`, none for
        n = 2 and 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SpecialOrthogonal
        >>> quarter = jnp.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> round(float(SpecialOrthogonal().dist(jnp.eye(3), quarter)), 4)
        1.5708

    References: [Edelman1998]; [Higham2008] for functions of matrices.
    """

    point_shape = "n n"

    def _project(self, x):
        return nearest_rotation(x)

    def _to_tangent(self, x, u):
        return x @ skew(x.T @ u)

    def _inner(self, x, u, v):
        return jnp.vdot(u, v) / 2

    def _norm(self, x, u):
        return safe.norm(u) / jnp.asarray(2**0.5, u.dtype)

    def _riemannian_gradient(self, x, gradient):
        return 2 * self._to_tangent(x, gradient)

    def _exp(self, x, u):
        return x + x @ exp1m_rotation(skew(x.T @ u))

    def _retract(self, x, u):
        return polar_frame(x + u)

    def _vector_transport(self, x, u, v):
        return self._retract(x, u) @ (x.T @ v)

    def _log(self, x, y):
        return x @ rotation_log(*difference(x, y))

    def _squared_dist(self, x, y):
        return jnp.sum(jnp.square(rotation_log(*difference(x, y)))) / 2

    def _unique(self, x, y):
        _, gap = difference(x, y)
        return jnp.linalg.eigvalsh(gap)[-1] < 2 - 16 * x.size * jnp.finfo(x.dtype).eps

    def _parallel_transport(self, x, y, u):
        half = exp_skew(rotation_log(*difference(x, y)) / 2)
        return y @ (half.T @ (x.T @ u) @ half)

    def _sectional_curvature(self, x, u, v):
        a, b = x.T @ u, x.T @ v
        area = plane_area(jnp.vdot(u, u), jnp.vdot(v, v), jnp.vdot(u, v))
        return jnp.sum(jnp.square(a @ b - b @ a)) / (2 * area)

    def _compose(self, x, y):
        return x @ y

    def _inverse(self, x):
        return x.T

    def _identity(self, x):
        return jnp.eye(len(x), dtype=x.dtype)

    def _random_point(self, key, shape, dtype):
        return nearest_rotation(jax.random.normal(key, shape, dtype))

    def _dimension(self, x):
        return len(x) * (len(x) - 1) // 2


def difference(x, y):
    """The skew part of x^T y, and 1 minus the symmetric one, without cancellation when y is near x.

    NaN if one is a rotation and the other a reflection: no curve joins them.
    """
    apart = y - x
    joined = jnp.linalg.det(jax.lax.stop_gradient(x.T @ y)) > 0
    off = jnp.where(joined, 0, jnp.nan).astype(x.dtype)
    return skew(x.T @ apart) + off, apart.T @ apart / 2 + off


def exp1m_rotation(a):
    """e^a - 1 of a skew matrix; for n = 2 and 3 by Rodrigues' formula."""
    if len(a) > 3:
        return exp1m_skew(a)
    squared = jnp.vdot(a, a) / 2
    return safe.sinc_sqrt(squared) * a + jnp.square(safe.sinc_sqrt(squared / 4)) / 2 * (a @ a)


@jax.custom_jvp
def nearest_rotation(a):
    """Rotation q that maximises tr q^T a; NaN if several do. Its derivative needs q^T a only."""
    left, sizes, right = jnp.linalg.svd(a)
    sign = jnp.sign(jnp.linalg.det(left) * jnp.linalg.det(right))
    # If det a < 0 and its two smallest singular values are equal, several rotations are nearest.
    lone = jnp.concatenate([jnp.full((1,), jnp.inf, sizes.dtype), sizes])[-2]
    free = lone + sign * sizes[-1] <= 4 * len(a) * jnp.finfo(a.dtype).eps * sizes[0]
    turned = left.at[:, -1].multiply(sign) @ right
    return jnp.where(free | ~jnp.isfinite(sizes[0]), jnp.nan, turned)


@nearest_rotation.defjvp
def _(primals, tangents):
    q = nearest_rotation(*primals)
    inside = q.T @ tangents[0]
    return q, q @ lyapunov(symmetric(q.T @ primals[0]), inside - inside.T)
