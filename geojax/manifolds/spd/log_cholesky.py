"""Symmetric positive definite matrices made flat by their Cholesky factors."""

import jax.numpy as jnp

from geojax._core.matrices import linalg
from geojax._core.struct import struct
from geojax.manifolds.base.euclidean import Euclidean
from geojax.manifolds.base.pullback import Pullback
from geojax.manifolds.spd.cone import SPDCone


@struct
class SPDLogCholesky(Pullback, SPDCone):
    """Symmetric positive definite matrices with the log-Cholesky metric on their factors x = L L^T.

    dist(x, y)^2 = sum_(i > j) (L_ij - K_ij)^2 + sum_i (log L_ii - log K_ii)^2  for y = K K^T: the space is flat, and
    no operation needs eigenvalues.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite. The metric depends on the order
        of the coordinates and on their unit, as Cholesky factors do. Only symmetric parts are read; results are NaN
        if a point is not positive definite.

    Differentiation: exact, to any order; `dist` has derivative 0 at x = y.

    Complexity: O(n^3): one Cholesky factor a point.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDLogCholesky
        >>> round(float(SPDLogCholesky().dist(jnp.eye(4), jnp.e * jnp.eye(4))), 4)
        1.0

    References: [Lin2019].
    """

    def _base(self):
        return Euclidean()

    def _chart(self, x):
        lower = jnp.linalg.cholesky(linalg.symmetric(x))
        return jnp.tril(lower, -1) + jnp.diag(jnp.log(jnp.diagonal(lower)))

    def _unchart(self, z):
        lower = jnp.tril(z, -1) + jnp.diag(jnp.exp(jnp.diagonal(z)))
        return lower @ lower.T
