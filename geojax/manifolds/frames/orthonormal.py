"""The base of the manifolds of orthonormal frames: shapes, the nearest frame, and the retraction onto it."""

import jax
import jax.numpy as jnp

from geojax._core.matrices import linalg
from geojax._core.matrices.polar import polar_frame
from geojax.manifolds.base.manifold import Manifold


class Frames(Manifold):
    """Points are matrices [n, p] with orthonormal columns, n >= p; the base of such manifolds."""

    point_shape = "n p"

    def _arrays(self, operation, **values):
        arrays = super()._arrays(operation, **values)
        n, p = arrays[0].shape
        if n < p:
            name = next(iter(values))
            raise ValueError(
                f"{self._name}.{operation}: {name} has shape [{n}, {p}]; expected at least as many rows as columns, "
                f"as a frame is orthonormal columns. Transpose {name}."
            )
        return arrays

    def _project(self, x):
        return nearest_frame(x)

    def _retract(self, x, u):
        return polar_frame(x + u)

    def _random_point(self, key, shape, dtype):
        return linalg.polar(jax.random.normal(key, shape, dtype))


def nearest_frame(x):
    """The polar factor; NaN if the columns are dependent, as several frames are nearest then."""
    frame = linalg.polar(x)
    stretches = jnp.linalg.eigvalsh(jax.lax.stop_gradient(linalg.symmetric(frame.T @ x)))
    limit = x.shape[0] * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(stretches), initial=0)
    return jnp.where(jnp.min(stretches, initial=jnp.inf) > limit, frame, jnp.nan)


def skew(matrix):
    """The skew part of a square matrix."""
    return (matrix - matrix.T) / 2
