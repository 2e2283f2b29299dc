"""Subspaces: orthonormal frames, two of which are one point if they span the same; all but products is p x p work."""

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.matrices import linalg
from geojax._core.matrices.linalg import symmetric
from geojax._core.struct import struct
from geojax._core.trigonometric import cos1m_sinc_sqrtm
from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.frames.orthonormal import Frames, skew


@struct
class Grassmann(Frames, WithTransport):
    """Subspaces of R^n of dimension p, each the span of an orthonormal frame: x and x q are one point, q in O(p).

    Tangents are horizontal, x^T u = 0, with <u, v> = tr u^T v. With S = u^T u and x^T y = W C V^T,
      exp(x, u) = x cos(S^(1/2)) + u sin(S^(1/2)) / S^(1/2),   dist(x, y) = (sum_i t_i^2)^(1/2),  cos(t_i) = C_ii,
    the t_i being the principal angles.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, p] with orthonormal columns, n >= p; distances are in radians, at most
        p^(1/2) pi / 2. Operations do not depend on the choice of the frame y; if the frame x is turned, so is the
        result. `retract` is the polar factor of x + u. If an angle is pi / 2 there are several shortest geodesics:
        `log` takes one, and `log_with_info` says so. `constraint_error` judges the frame.

    Differentiation: exact, at equal angles and at x = y too; `dist` has derivative 0 there. If an angle is pi / 2
        there is no derivative, and the result is finite.

    Complexity: O(n p^2) products, with one p x p singular value decomposition in `log` and `dist` and none in `exp`
        and `retract`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Grassmann
        >>> x, y = jnp.eye(3)[:, :2], jnp.eye(3)[:, 1:]
        >>> round(float(Grassmann().dist(x, y)), 4)
        1.5708

    References: [Edelman1998]; [Bendokat2024] for the frames and the cut locus.
    """

    def _to_tangent(self, x, u):
        across = u - x @ (x.T @ u)
        # Once more, for a u that lies nearly in the span: what the first projection leaves there is rounding.
        return across - x @ (x.T @ across)

    def _inner(self, x, u, v):
        return jnp.vdot(u, v)

    def _norm(self, x, u):
        return safe.norm(u)

    def _exp(self, x, u):
        cosine, sinc = cos1m_sinc_sqrtm(u.T @ u)
        return x + (x @ cosine + u @ sinc)

    def _log(self, x, y):
        overlap, across = _split(x, y)
        return across @ _turned_angles(overlap, across.T @ across)

    def _squared_dist(self, x, y):
        return _squared_dist(x, y)

    def _unique(self, x, y):
        cosines = jnp.linalg.svd(x.T @ y, compute_uv=False)
        return jnp.min(cosines, initial=1) > 16 * x.size * jnp.finfo(x.dtype).eps

    def _parallel_transport(self, x, y, u):
        velocity = self._log(x, y)
        # exp(x, velocity) spans the same subspace as y; its frame has to be turned into the frame y.
        cosine, sinc = cos1m_sinc_sqrtm(velocity.T @ velocity / 4)
        along = velocity.T @ u
        turned = sinc @ (along + cosine @ along)  # sin(s) / s of S, by the formula for the double angle
        carried = u - x @ turned - velocity @ (sinc @ (sinc @ along)) / 2
        return self._to_tangent(y, carried @ linalg.polar(_shifted(x.T @ y)))

    def _sectional_curvature(self, x, u, v):
        uu, vv, uv = u.T @ u, v.T @ v, u.T @ v
        area = jnp.trace(uu) * jnp.trace(vv) - jnp.trace(uv) ** 2
        turning = 2 * jnp.sum(jnp.square(skew(uv))) + jnp.vdot(uu, vv) - jnp.vdot(uv, uv.T)
        return turning / area

    def _dimension(self, x):
        n, p = x.shape
        return p * (n - p)


def _split(x, y):
    """x^T y, and the part of y orthogonal to the span of x, with all its digits when y is near x."""
    apart = y - x
    within = x.T @ apart
    return jnp.eye(x.shape[1], dtype=x.dtype) + within, apart - x @ within


@jax.custom_jvp
def _turned_angles(overlap, gram):
    """V diag(t / sin(t)) W^T for x^T y = W diag(cos(t)) V^T; the part of y orthogonal to x, times it, is log_x(y)."""
    left, cosines, right = jnp.linalg.svd(overlap)
    # The sine of an angle is the length of a column of the orthogonal part; the cosine alone loses angles near 0.
    sines = jnp.sqrt(jnp.maximum(jnp.sum((right @ gram) * right, axis=1), 0))
    small = sines < 0.5
    narrow = safe.angle_over_sine1m(jnp.where(small, 1 - jnp.sqrt(1 - jnp.where(small, sines, 0) ** 2), 0))
    wide = jnp.arctan2(sines, cosines) / jnp.where(small, 1, sines)
    return (right.T * jnp.where(small, narrow, wide)) @ left.T


@_turned_angles.defjvp
def _(primals, tangents):
    def formula(overlap):
        # t / sin(t) of the symmetric polar factor, times the inverse of the orthogonal one.
        turn = linalg.polar(_shifted(overlap))
        size = symmetric(overlap @ turn.T)
        eye = jnp.eye(size.shape[0], dtype=size.dtype)
        return turn.T @ linalg.sym_fn(eye - size, _ratio, _slope)

    return _turned_angles(*primals), jax.jvp(formula, primals[:1], tangents[:1])[1]


def _ratio(z):
    return safe.angle_over_sine1m(jnp.clip(z, 0, 1.5))


def _slope(z):
    return jax.jvp(_ratio, (z,), (jnp.ones_like(z),))[1]


def _shifted(overlap):
    """The matrix, with those singular values raised at which its polar factor would have no derivative."""
    left, cosines, right = jnp.linalg.svd(jax.lax.stop_gradient(overlap))
    least = 100 * jnp.finfo(overlap.dtype).eps ** 0.5
    return overlap + (left * jnp.where(cosines < least, least, 0)) @ right


@jax.custom_jvp
def _squared_dist(x, y):
    overlap, across = _split(x, y)
    _, cosines, right = jnp.linalg.svd(overlap)
    sines = safe.sqrt(jnp.sum(jnp.square(across @ right.T), axis=0))
    return jnp.sum(jnp.square(jnp.arctan2(sines, cosines)))


@_squared_dist.defjvp
def _(primals, tangents):
    # The gradients are -2 log_x(y) and -2 log_y(x); a change within the span has no effect.
    (x, y), (x_dot, y_dot) = primals, tangents
    overlap, across = _split(x, y)
    back = y.T @ (x - y)
    ratio = _turned_angles(overlap, across.T @ across)
    from_x, from_y = across @ ratio, ((x - y) - y @ back) @ ratio.T
    return _squared_dist(x, y), -2 * (jnp.vdot(from_x, x_dot) + jnp.vdot(from_y, y_dot))
