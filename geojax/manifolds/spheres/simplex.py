"""Probability distributions on finitely many outcomes, with the Fisher-Rao metric."""

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport, constant_curvature
from geojax.manifolds.spheres.sphere import Sphere

_SPHERE = Sphere()


@struct
class Simplex(WithTransport):
    """Probability vectors with the Fisher-Rao metric <u, v>_p = sum_i u_i v_i / p_i.

    The map p -> sqrt(p) goes onto a part of the unit sphere, and halves lengths:
    dist(p, q) = 2 arccos(sum_i sqrt(p_i q_i)), at most pi.

    Args:
        (none): It has no parameters.

    Returns:
        A manifold whose points are vectors [n] of numbers p_i >= 0 with sum 1, and whose tangents have sum 0. `project`
        sets negative numbers to 0 and divides by the sum; `to_tangent` is orthogonal in the metric; `retract`
        multiplies, p_i exp(u_i / p_i) over their sum, and so never leaves the simplex, while `exp` is reflected at the
        boundary.
        `random_point` is uniform in the metric's volume, which is Dirichlet(1/2).

    Differentiation: exact inside. At outcomes of probability 0 square roots have no derivative; it is taken as 0 there,
    and tangent vectors hold 0. Results are finite, but a geodesic that leaves the boundary has no velocity there.

    Complexity: O(n) an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Simplex
        >>> round(float(Simplex().dist(jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))), 4)
        3.1416

    References: [Rao1945].
    """

    def _project(self, x):
        positive = jnp.maximum(x, 0)
        return positive / jnp.sum(positive)

    def _to_tangent(self, x, u):
        u = jnp.where(x == 0, 0, u)
        return u - x * jnp.sum(u)

    def _inner(self, x, u, v):
        return jnp.sum(_over(u, x) * v)

    def _norm(self, x, u):
        return safe.norm(_over(u, safe.sqrt(x)))

    def _riemannian_gradient(self, x, gradient):
        return x * (gradient - jnp.vdot(x, gradient))

    def _exp(self, x, u):
        root = safe.sqrt(x)
        return jnp.square(_SPHERE._exp(root, _over(u, 2 * root)))

    def _retract(self, x, u):
        exponents = _over(u, x)
        weights = x * jnp.exp(exponents - jnp.max(exponents))
        return weights / jnp.sum(weights)

    def _log(self, x, y):
        root, other = safe.sqrt(x), safe.sqrt(y)
        # sqrt(y) - sqrt(x) is computed from y - x, which has all its digits.
        step = _over(y - x, root + other)
        excess = jnp.vdot(step, step) / 2
        return 2 * root * safe.angle_over_sine1m(excess) * (step + excess * root)

    def _squared_dist(self, x, y):
        root, other = safe.sqrt(x), safe.sqrt(y)
        step = _over(y - x, root + other)
        return 4 * safe.squared_angle(jnp.vdot(step, step), jnp.sum(jnp.square(root + other)))

    def _parallel_transport(self, x, y, u):
        root, other = safe.sqrt(x), safe.sqrt(y)
        return 2 * other * _SPHERE._parallel_transport(root, other, _over(u, 2 * root))

    def _sectional_curvature(self, x, u, v):
        return constant_curvature(0.25, self._inner(x, u, u), self._inner(x, v, v), self._inner(x, u, v))

    def _random_point(self, key, shape, dtype):
        return jnp.square(_SPHERE._random_point(key, shape, dtype))

    def _random_tangent(self, key, x):
        return self._to_tangent(x, safe.sqrt(x) * jax.random.normal(key, x.shape, x.dtype))

    def _dimension(self, x):
        return x.size - 1


def _over(u, x):
    """The quotient u / x, 0 if x is 0."""
    zero = x == 0
    return jnp.where(zero, 0, u / jnp.where(zero, 1, x))
