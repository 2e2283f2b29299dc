"""Metrics on symmetric positive definite matrices deformed by matrix powers."""

import jax.numpy as jnp
from jax.tree_util import Partial

from geojax._core.matrices import divided, linalg, multipliers
from geojax._core.struct import struct
from geojax.manifolds.base.composite import Composite
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.base.manifold import Manifold
from geojax.manifolds.base.pullback import Pullback
from geojax.manifolds.spd.cone import SPDCone
from geojax.typing import Scalar


@struct
class SPDPower(Composite, Pullback, SPDCone):
    """Symmetric positive definite matrices x with a metric taken at their powers, dist(x^theta, y^theta) / |theta|.

    The metric at x is theta^-2 times that of `manifold` at x^theta, so that theta = 1 gives `manifold` back and, as
    theta goes to 0, its metric at the identity applied to logarithms: log-Euclidean for `SPDAffineInvariant`, half
    its distance for `SPDBuresWasserstein`.

    Args:
        manifold: Another metric on the same matrices.
        theta: The power, not 0. Traced.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite, with those operations that
        `manifold` has. At theta = 0 results are NaN; use its limit, `SPDLogEuclidean`. Distances lose digits in
        proportion to 1 / theta.

    Differentiation: exact, once, in theta too, at equal points and at repeated eigenvalues, and twice with the
        conventions of `manifold`.

    Complexity: O(n^3): two more symmetric eigenvalue problems a point than `manifold`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SPDBuresWasserstein, SPDPower
        >>> space = SPDPower(SPDBuresWasserstein(), theta=0.5)
        >>> round(float(space.dist(16 * jnp.eye(1), jnp.eye(1))), 4)
        2.0

    References: [Thanwerdas2022]; [WangRui2025].
    """

    manifold: WithTransport
    theta: Scalar

    def __post_init__(self) -> None:
        check_manifold("SPDPower", self.manifold)

    def _components(self) -> list[Manifold]:
        return [self.manifold]

    def _base(self):
        return self.manifold

    def _chart(self, x):
        return linalg.expm(self._theta(x) * linalg.logm(x))

    def _unchart(self, z):
        return linalg.expm(linalg.logm(z) / self._theta(z))

    def _push(self, x, u):
        theta = self._theta(x)
        return theta * multipliers.multiply(x, linalg.symmetric(u), Partial(divided.power, theta))

    def _pull(self, x, v):
        theta = self._theta(x)
        return multipliers.multiply(x, v, Partial(_inverse_slope, theta)) / theta

    def _pull_transposed(self, x, u):
        return self._pull(x, u)

    def _theta(self, x):
        return jnp.asarray(self.theta, x.dtype)

    def _ratio(self, dtype):
        return 1 / jnp.square(jnp.asarray(self.theta, dtype))


def _inverse_slope(theta, a, b):
    return 1 / divided.power(theta, a, b)
