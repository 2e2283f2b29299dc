"""Rigid motions of R^n as homogeneous matrices, with the product metric; the group's own exp and log in space."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.groups.motions import Motions, motion
from geojax.manifolds.groups.rotation_log import rotation_log
from geojax.manifolds.groups.special_orthogonal import SpecialOrthogonal, difference


@struct
class SpecialEuclidean(Motions):
    """Rigid motions [[R, t], [0, 1]] of R^n with the metric of SO(n) x R^n: <u, v> = tr(u_R^T v_R) / 2 + u_t . v_t.

    exp([[R, t], [0, 1]], [[R A, w], [0, 0]]) = [[R e^A, t + w], [0, 1]]: rotations and translations move apart.

    Args:
        (none): It has no parameters; divide translations by the length that counts as one radian.

    Returns:
        A manifold whose points are matrices [n + 1, n + 1]. The metric is left-invariant, and `exp` its geodesics; the
        group's own exponential, whose curves are screws, belongs to no such metric: it is `se3_exp` for n = 3.
        Unique logarithms are those of SO(n).

    Differentiation: exact, as for SpecialOrthogonal.

    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import SpecialEuclidean
        >>> moved = jnp.eye(4).at[:3, 3].set(jnp.array([3.0, 0.0, 4.0]))
        >>> round(float(SpecialEuclidean().dist(jnp.eye(4), moved)), 4)
        5.0

    References: [ParkRigid1995] for the metrics of rigid motions.
    """

    _linear = SpecialOrthogonal()


@rounded_once
def se3_exp(xi: Float[Array, " 6"]) -> Float[Array, "4 4"]:
    """Rigid motion at time 1 of the screw with a given twist: the matrix exponential.

    exp [[[w], v], [0, 0]] = [[e^[w], V v], [0, 1]],  V = 1 + (1 - cos t) / t^2 [w] + (t - sin t) / t^3 [w]^2,  t = |w|.

    Args:
        xi: Twist (w, v), [6]: angular velocity in radians, then velocity.

    Returns:
        Homogeneous matrix, [4, 4].

    Raises:
        ValueError: At trace time, if `xi` is not a vector of 6 numbers.

    Differentiation: exact, at zero too.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import se3_exp
        >>> se3_exp(jnp.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]))[:3, 3].tolist()
        [1.0, 2.0, 3.0]

    References: [ParkRigid1995].
    """
    (xi,) = checks.floats("se3_exp", xi=xi)
    checks.shapes("se3_exp", xi=(xi, "6"))
    turning, velocity = cross(xi[:3]), xi[3:]
    squared = jnp.vdot(xi[:3], xi[:3])
    first = jnp.square(safe.sinc_sqrt(squared / 4)) / 2
    twice = turning @ turning
    eye = jnp.eye(3, dtype=xi.dtype)
    turn = eye + safe.sinc_sqrt(squared) * turning + first * twice
    return motion(turn, velocity + (first * turning + safe.sinc_rest_sqrt(squared) * twice) @ velocity)


@rounded_once
def se3_log(transform: Float[Array, "4 4"]) -> Float[Array, " 6"]:
    """Twist of the screw that reaches a rigid motion at time 1, turning by at most pi.

    The inverse of `se3_exp`:  w from the rotation's logarithm,  v = V^-1 t,
      V^-1 = 1 - [w] / 2 + (1 - (t / 2) cot(t / 2)) / t^2 [w]^2.

    Args:
        transform: Homogeneous matrix, [4, 4], of a rotation and a translation.

    Returns:
        Twist (w, v), [6], with |w| <= pi. For half turns it is one of two.

    Raises:
        ValueError: At trace time, if `transform` is not [4, 4].

    Differentiation: exact, at the identity too; finite for half turns, at which there is no derivative.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import se3_exp, se3_log
        >>> xi = jnp.array([0.1, 0.2, 0.3, 1.0, 2.0, 3.0])
        >>> bool(jnp.allclose(se3_log(se3_exp(xi)), xi, atol=1e-5))
        True

    References: [ParkRigid1995].
    """
    (transform,) = checks.floats("se3_log", transform=transform)
    checks.shapes("se3_log", transform=(transform, "4 4"))
    turn = transform[:3, :3]
    turning = rotation_log(*difference(jnp.eye(3, dtype=turn.dtype), turn))
    vector = jnp.stack([turning[2, 1], turning[0, 2], turning[1, 0]])
    squared = jnp.vdot(vector, vector)
    # With h = t / 2:  ((1 - cos h) / h^2 - (1 - sin(h) / h) / h^2) / (4 sin(h) / h), both terms entire.
    entire = jnp.square(safe.sinc_sqrt(squared / 16)) / 2 - safe.sinc_rest_sqrt(squared / 4)
    factor = entire / (4 * safe.sinc_sqrt(squared / 4))
    shift = transform[:3, 3]
    velocity = shift - turning @ shift / 2 + factor * (turning @ (turning @ shift))
    return jnp.concatenate([vector, velocity])


def cross(vector):
    """The skew matrix [w] with [w] x = w cross x."""
    x, y, z = vector
    zero = jnp.zeros_like(x)
    return jnp.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
