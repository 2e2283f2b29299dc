"""Euclidean space: arrays of any shape with the sum of products."""

import jax
import jax.numpy as jnp

from geojax._core import checks, safe
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import InvariantGroup


@struct
class Euclidean(InvariantGroup):
    """Arrays of any one shape with <u, v> = sum u_i v_i.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are arrays of any shape.

    Differentiation: exact; `dist` has derivative 0 at x = y.

    Complexity: O(number of entries) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> float(Euclidean().dist(jnp.zeros(2), jnp.array([3.0, 4.0])))
        5.0

    References: none; the flat space of elementary geometry.
    """

    def _arrays(self, operation, **values):
        where = f"Euclidean.{operation}"
        arrays = checks.floats(where, **values)
        words = " ".join(str(size) for size in arrays[0].shape)
        checks.shapes(where, **{name: (array, words) for name, array in zip(values, arrays)})
        return arrays

    def _project(self, x):
        return x

    def _to_tangent(self, x, u):
        return u

    def _inner(self, x, u, v):
        return jnp.vdot(u, v)

    def _norm(self, x, u):
        return safe.norm(u)

    def _exp(self, x, u):
        return x + u

    def _log(self, x, y):
        return y - x

    def _dist(self, x, y):
        return safe.norm(x - y)

    def _squared_dist(self, x, y):
        return jnp.sum(jnp.square(x - y))

    def _parallel_transport(self, x, y, u):
        return u

    def _vector_transport(self, x, u, v):
        return v

    def _sectional_curvature(self, x, u, v):
        return jnp.zeros((), x.dtype)

    def _random_point(self, key, shape, dtype):
        return jax.random.normal(key, shape, dtype)

    def _dimension(self, x):
        return x.size

    def _compose(self, x, y):
        return x + y

    def _inverse(self, x):
        return -x

    def _identity(self, x):
        return jnp.zeros_like(x)
