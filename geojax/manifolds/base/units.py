"""The unit in which the errors of an iteration over points are measured, and how small rounding lets them get."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core.loops import reachable
from geojax.manifolds.base import stacked
from geojax.manifolds.base.geodesics import WithLog
from geojax.typing import PyTree, Scalar


def unit_and_tol(
    manifold: WithLog, x: PyTree, points: PyTree, tol: Scalar
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The largest distance from x to a point, and the tolerance that counts for errors in parts of it.

    If the points agree but for rounding, the unit is so large that this difference is no error.
    """
    spread = jnp.max(jax.vmap(lambda u: manifold._norm(x, u))(stacked.logs(manifold, x, points)))
    rounding = 4 * _last_place(manifold, x)
    unit = jnp.maximum(spread, rounding / jnp.finfo(spread.dtype).eps ** 0.5)
    unit = jnp.where(unit == 0, 1, unit)
    return unit, reachable(tol, rounding, unit)


def _last_place(manifold: WithLog, x: PyTree) -> Float[Array, ""]:
    """The length of a tangent of which each coordinate is about a unit in the last place of the largest of x."""
    rng = np.random.default_rng(0)

    def last_place(leaf: Array) -> Array:
        size = jnp.finfo(leaf.dtype).eps * jnp.max(jnp.abs(leaf), initial=0)
        return size.astype(leaf.dtype) * jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype)

    return manifold._norm(x, manifold._to_tangent(x, jax.tree.map(last_place, x)))
