"""Matrices with unit columns: a sphere for each column."""

from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.products.power import Power
from geojax.manifolds.spheres.sphere import Sphere

_ROWS = Power(Sphere())


@struct
class Oblique(WithTransport):
    """Matrices whose columns have norm 1, with <u, v> = sum_ij u_ij v_ij: the product of the columns' spheres.

    dist(x, y)^2 is the sum of the squared angles between columns.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are matrices [n, k] with columns of norm 1. `retract` divides columns by their norms. A
        logarithm is unique unless a column of y is the negative of that of x.

    Differentiation: exact, as for `Sphere`.

    Complexity: O(n k) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Oblique
        >>> Oblique().project(jnp.array([[3.0, 0.0], [4.0, 2.0]])).tolist()
        [[0.6000000238418579, 0.0], [0.800000011920929, 1.0]]

    References: [Absil2006].
    """

    point_shape = "n k"

    def _project(self, x):
        return _ROWS._project(x.T).T

    def _to_tangent(self, x, u):
        return _ROWS._to_tangent(x.T, u.T).T

    def _inner(self, x, u, v):
        return _ROWS._inner(x.T, u.T, v.T)

    def _exp(self, x, u):
        return _ROWS._exp(x.T, u.T).T

    def _retract(self, x, u):
        return _ROWS._retract(x.T, u.T).T

    def _log(self, x, y):
        return _ROWS._log(x.T, y.T).T

    def _squared_dist(self, x, y):
        return _ROWS._squared_dist(x.T, y.T)

    def _parallel_transport(self, x, y, u):
        return _ROWS._parallel_transport(x.T, y.T, u.T).T

    def _unique(self, x, y):
        return _ROWS._unique(x.T, y.T)

    def _sectional_curvature(self, x, u, v):
        return _ROWS._sectional_curvature(x.T, u.T, v.T)

    def _random_point(self, key, shape, dtype):
        return _ROWS._random_point(key, shape[::-1], dtype).T

    def _dimension(self, x):
        return _ROWS._dimension(x.T)
