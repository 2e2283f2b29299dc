"""Affine maps of R^n that keep orientation, with the product metric of their linear and moving parts."""

from geojax._core.struct import struct
from geojax.manifolds.groups.linear_groups import GeneralLinear
from geojax.manifolds.groups.motions import Motions


@struct
class AffineGroup(Motions):
    """Affine maps [[A, t], [0, 1]] of R^n, det A > 0, with the metric of GL+(n) x R^n in polar coordinates.

    With A = R exp(S):  |u|^2 = |R^T dR|_F^2 / 2 + |dS|_F^2 + |dt|^2,  so R, S and t move apart.

    Args:
        (none): It has no parameters; divide translations by the length that counts as one radian.

    Returns:
        A manifold whose points are matrices [n + 1, n + 1]. `retract` is `exp`, and reaches every point. NaN if
        det A <= 0. Logarithms are unique if those of the rotations are.

    Differentiation: exact unless the rotations are opposite.

    Complexity: O(n^3), some eigendecompositions of n x n matrices.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import AffineGroup
        >>> moved = jnp.eye(3).at[:2, 2].set(jnp.array([3.0, 4.0]))
        >>> round(float(AffineGroup().dist(jnp.eye(3), moved)), 4)
        5.0

    References: [Mironenco2024].
    """

    _linear = GeneralLinear()
