"""Correlation matrices of full rank, made flat by the logarithms of their normalised Cholesky factors."""

import jax
import jax.numpy as jnp

from geojax._core.matrices import linalg
from geojax._core.struct import struct
from geojax.manifolds.base.euclidean import Euclidean
from geojax.manifolds.base.pullback import Pullback
from geojax.manifolds.spd.cone import SPDCone


@struct
class Correlation(Pullback, SPDCone):
    """Correlation matrices of full rank with the log-Euclidean-Cholesky metric.

    With C = L L^T and the unit lower triangular  T(C) = diag(L)^-1 L,  dist(x, y) = |log T(x) - log T(y)|_F: flat,
    without cut locus, every operation in closed form. Any strictly lower triangular matrix is the logarithm of one.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite with unit diagonal, and whose
        tangents are symmetric with zero diagonal; distances have no unit. The metric depends on the order of the
        coordinates, as Cholesky factors do. `project` raises eigenvalues to n ulp of the largest and then scales
        the diagonal to one. Results are NaN if a point is not positive definite.

    Differentiation: exact, to any order; `dist` has derivative 0 at x = y.

    Complexity: O(n^4): one Cholesky factor a point, and the n terms of a nilpotent logarithm or exponential.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Correlation
        >>> x = jnp.array([[1.0, 0.6], [0.6, 1.0]])
        >>> round(float(Correlation().dist(jnp.eye(2), x)), 4)
        0.75

    References: [Thanwerdas2022b].
    """

    def _project(self, x):
        raised = super()._project(x)
        scales = 1 / jnp.sqrt(jnp.diagonal(raised))
        return _with_diagonal(raised * scales[:, None] * scales[None, :], 1)

    def _to_tangent(self, x, u):
        return _with_diagonal(linalg.symmetric(u), 0)

    def _vector_transport(self, x, u, v):
        return self._to_tangent(x, v)

    def _random_point(self, key, shape, dtype):
        """A normal logarithm."""
        return self._unchart(jnp.tril(jax.random.normal(key, shape, dtype), -1))

    def _dimension(self, x):
        n = x.shape[0]
        return n * (n - 1) // 2

    def _base(self):
        return Euclidean()

    def _chart(self, x):
        lower = jnp.linalg.cholesky(linalg.symmetric(x))
        n = x.shape[0]
        nilpotent = jnp.tril(lower / jnp.diagonal(lower)[:, None], -1)
        # log(I + N) = N - N^2 / 2 + ... ends with N^(n-1).
        return _horner(nilpotent, [(-1.0) ** (k + 1) / k for k in range(1, n)])

    def _unchart(self, z):
        n = z.shape[0]
        nilpotent = jnp.tril(z, -1)
        terms = _horner(nilpotent, _inverse_factorials(n))
        unit = jnp.eye(n, dtype=z.dtype) + terms
        rows = unit / jnp.sqrt(jnp.sum(jnp.square(unit), axis=1))[:, None]
        return _with_diagonal(rows @ rows.T, 1)


def _inverse_factorials(n):
    """1 / k! for k = 1 ... n - 1."""
    factors, current = [], 1.0
    for k in range(1, n):
        current /= k
        factors.append(current)
    return factors


def _horner(nilpotent, coefficients):
    """c_1 N + c_2 N^2 + ... for strictly lower triangular N."""
    n = nilpotent.shape[0]
    eye = jnp.eye(n, dtype=nilpotent.dtype)

    def step(total, coefficient):
        return nilpotent @ (coefficient * eye + total), None

    start = jnp.zeros_like(nilpotent) * nilpotent
    return jax.lax.scan(step, start, jnp.asarray(coefficients[::-1], nilpotent.dtype))[0]


def _with_diagonal(x, value):
    return jnp.where(jnp.eye(x.shape[0], dtype=bool), jnp.asarray(value, x.dtype), x)
