"""The base of all metrics on symmetric positive definite matrices: the cone and its tangent spaces."""

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.matrices import linalg
from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.base.manifold import Manifold


class SPDCone(Manifold):
    """Symmetric positive definite matrices [n, n], an open cone: its tangent spaces are the symmetric matrices.

    An open set has no nearest points, so `project` raises eigenvalues to n ulp of the largest.
    """

    point_shape = "n n"

    def _project(self, x):
        return linalg.sym_fn(x, _raised, _raised_slope, difference=_raised_difference)

    def _to_tangent(self, x, u):
        return linalg.symmetric(u)

    def _vector_transport(self, x, u, v):
        return linalg.symmetric(v)

    def _random_point(self, key, shape, dtype):
        """The exponential of a symmetric normal matrix: log-eigenvalues between -2 and 2, mostly."""
        normal = linalg.symmetric(jax.random.normal(key, shape, dtype))
        return linalg.expm(normal / jnp.sqrt(jnp.asarray(max(1, normal.shape[0]) / 2, dtype)))

    def _dimension(self, x):
        n = x.shape[0]
        return n * (n + 1) // 2


class SPDMetric(SPDCone, WithTransport):
    """A metric on positive definite matrices whose distance, from eigenvalues or factors, is not quite 0 at x = y."""

    def _dist(self, x, y):
        # A tiny distance between equal points would have a derivative of size 1; that of 0 is 0.
        squared = self._squared_dist(x, y)
        return safe.sqrt(jnp.where(jnp.all(x == y), 0 * squared, squared))


def _floor(*values):
    """The least eigenvalue by which a matrix with these eigenvalues can be told from a singular one."""
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(v), initial=0) for v in values]))
    return max(max(v.shape) for v in values) * jnp.finfo(values[0].dtype).eps * largest


def _raised(values):
    return jnp.maximum(values, _floor(values))


def _raised_slope(values):
    return jnp.where(values >= _floor(values), 1, 0).astype(values.dtype)


def _raised_difference(a, b):
    floor = _floor(a, b)
    apart = jnp.where(a == b, 1, a - b)
    quotient = (jnp.maximum(a, floor) - jnp.maximum(b, floor)) / apart
    both = (a >= floor) & (b >= floor)
    return jnp.where(both, 1, jnp.where(a == b, 0, quotient))
