"""Symmetric positive definite matrices as covariances of Gaussians, at their transport distances."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.matrices import bures, linalg, multipliers
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import plane_area
from geojax.manifolds.spd.cone import SPDMetric


@struct
class SPDBuresWasserstein(SPDMetric):
    """Symmetric positive definite matrices with the (generalised) Bures-Wasserstein metric.

    dist(x, y)^2 = tr(M^-1 x) + tr(M^-1 y) - 2 tr (M^-1 x M^-1 y)^(1/2).  With M = C C^T it is that of C^-1 x C^-T and
    C^-1 y C^-T for M = I, where  exp(x, u) = (I + s) x (I + s),  s x + x s = u,  and  <u, v> = tr(s v) / 2.

    Args:
        metric: The matrix M, [n, n], symmetric positive definite; the identity if None. It may be traced and learnt.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite, of nonnegative curvature.
        Distances have the unit of the square root of x / M. Geodesics end at singular matrices: `exp` is NaN if
        I + s is not positive definite; `retract` is the same formula without that limit. `parallel_transport` has a
        closed form if M^-1 x and M^-1 y commute, and is NaN if they do not. Only symmetric parts are read; results are
        NaN if a matrix is not positive definite. Singular matrices are not points: what rounding has made definite has
        distances that are right to the root of an ulp of the traces, and `geojax.transport.bures_wasserstein` takes
        all of them.

    Differentiation: exact, twice, at equal points and at repeated eigenvalues, in `metric` too; `dist` has derivative
        0 at x = y. Second derivatives of `parallel_transport` need distinct eigenvalues.

    Complexity: O(n^3): one symmetric eigenvalue problem for exp and inner; two Cholesky factors and O(log of the
        condition number) matrix products for log and dist.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDBuresWasserstein
        >>> x, y = jnp.diag(jnp.array([4.0, 1.0])), jnp.eye(2)
        >>> round(float(SPDBuresWasserstein().dist(x, y)), 4)
        1.0
        >>> round(float(SPDBuresWasserstein(metric=4 * jnp.eye(2)).dist(x, y)), 4)
        0.5

    References: [Bhatia2019]; [Han2023] for M; [WangRui2025] for learning it; [Thanwerdas2023] for transport;
        [Takatsu2011] for the curvature.
    """

    metric: Float[Array, "n n"] | None = None

    def _arrays(self, operation, **values):
        arrays = super()._arrays(operation, **values)
        if self.metric is not None:
            (name, _), first = next(iter(values.items())), arrays[0]
            checks.shapes(
                f"{self._name}.{operation}", **{name: (first, "n n"), "metric": (self.metric, "n n")}
            )
        return arrays

    def _whitened(self, *values):
        """The factor C of M, and each value as C^-1 value C^-T, symmetric."""
        values = [linalg.symmetric(value) for value in values]
        if self.metric is None:
            return None, *values
        factor = jnp.linalg.cholesky(linalg.symmetric(jnp.asarray(self.metric, values[0].dtype)))
        inverse = linalg.triangular_inverse(factor)
        return factor, *(linalg.symmetric(inverse @ value @ inverse.T) for value in values)

    def _inner(self, x, u, v):
        _, x, u, v = self._whitened(x, u, v)
        return jnp.vdot(linalg.lyapunov(x, u), v) / 2

    def _exp(self, x, u):
        return self._moved(x, u, ends=True)

    def _retract(self, x, u):
        return self._moved(x, u, ends=False)

    def _moved(self, x, u, ends):
        factor, x, u = self._whitened(x, u)
        s = linalg.lyapunov(x, u)
        y = linalg.symmetric(x + u + s @ x @ s)
        if ends:
            stretch = jnp.eye(x.shape[0], dtype=x.dtype) + jax.lax.stop_gradient(s)
            y = jnp.where(jnp.all(jnp.isfinite(jnp.linalg.cholesky(stretch))), y, jnp.nan)
        return _congruence(factor, y)

    def _log(self, x, y):
        factor, x, y = self._whitened(x, y)
        to_y = bures.maps(x, y, 0)[1]
        return _congruence(factor, to_y @ x + x @ to_y - 2 * x)

    def _squared_dist(self, x, y):
        _, x, y = self._whitened(x, y)
        return bures.maps(x, y, 0)[3]

    def _parallel_transport(self, x, y, u):
        _, white_x, white_y = self._whitened(x, y)
        bracket = white_x @ white_y - white_y @ white_x
        slack = 16 * x.shape[0] * jnp.finfo(x.dtype).eps * safe.norm(white_x) * safe.norm(white_y)
        return jnp.where(safe.norm(bracket) <= slack, self._transport_through_metric(x, y, u), jnp.nan)

    def _transport_through_metric(self, x, y, u):
        """Parallel transport from x to M, which commutes with all points, and on to y; direct if x and y commute."""
        factor, x, y, u = self._whitened(x, y, u)
        at_identity = multipliers.multiply(x, u, lambda a, b: jnp.sqrt(2 / (a + b)))
        return _congruence(factor, multipliers.multiply(y, at_identity, lambda a, b: jnp.sqrt((a + b) / 2)))

    def _recentred(self, mean, center, factor, x):
        carried = self._transport_through_metric(mean, center, self._log(mean, x))
        return self._retract(center, factor * carried)

    def _riemannian_gradient(self, x, gradient):
        metric = self.metric
        half = 2 * linalg.symmetric(gradient) @ linalg.symmetric(x)
        if metric is not None:
            half = linalg.symmetric(jnp.asarray(metric, x.dtype)) @ half
        return half + half.T

    def _sectional_curvature(self, x, u, v):
        # O'Neill's formula for M -> M M^T from flat space: 3/4 of the vertical part of the bracket (s1 s2 - s2 s1) M.
        _, x, u, v = self._whitened(x, u, v)
        s, t = linalg.lyapunov(x, u), linalg.lyapunov(x, v)
        bracket = s @ t - t @ s
        vertical = bracket - linalg.lyapunov(x, bracket @ x - x @ bracket)
        area = plane_area(jnp.vdot(s @ x, s), jnp.vdot(t @ x, t), jnp.vdot(s @ x, t))
        return 3 * jnp.vdot(vertical @ x, vertical) / (4 * area)


def _congruence(factor, x):
    return linalg.symmetric(x if factor is None else factor @ x @ factor.T)
