"""Symmetric positive definite matrices made flat by the matrix logarithm."""

from geojax._core.matrices import divided, linalg, multipliers
from geojax._core.struct import struct
from geojax.manifolds.base.euclidean import Euclidean
from geojax.manifolds.base.pullback import Pullback
from geojax.manifolds.spd.cone import SPDCone


@struct
class SPDLogEuclidean(Pullback, SPDCone):
    """Symmetric positive definite matrices with the metric of their logarithms, dist(x, y) = |logm x - logm y|_F.

    exp(x, u) = expm(logm x + D logm(x) u):  the space is flat, and the mean is the exponential of the mean logarithm.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite; distances have no unit, and are
        kept by rotations, scalings and inverses. Only symmetric parts are read; results are NaN or infinite if a
        point is not positive definite.

    Differentiation: exact, twice, at equal points and at repeated eigenvalues; `dist` has derivative 0 at x = y.

    Complexity: O(n^3): two symmetric eigenvalue problems for dist, exp and log.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDLogEuclidean
        >>> round(float(SPDLogEuclidean().dist(jnp.eye(4), jnp.e * jnp.eye(4))), 4)
        2.0

    References: [Arsigny2007].
    """

    def _base(self):
        return Euclidean()

    def _chart(self, x):
        return linalg.logm(x)

    def _unchart(self, z):
        return linalg.expm(z)

    def _push(self, x, u):
        return multipliers.multiply(x, linalg.symmetric(u), divided.log)

    def _pull(self, x, v):
        return multipliers.multiply(x, v, _logarithmic_mean)

    def _pull_transposed(self, x, u):
        return self._pull(x, u)


def _logarithmic_mean(a, b):
    return 1 / divided.log(a, b)
