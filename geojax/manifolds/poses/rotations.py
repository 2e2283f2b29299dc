"""Rotations of space as networks predict them, and how poses are aligned, compared and composed."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.groups.rotation_log import rotation_log
from geojax.manifolds.groups.special_orthogonal import difference, nearest_rotation


@struct
class Similarity:
    """x -> scale rotation x + shift.

    Attributes:
        scale: Positive number.
        rotation: Rotation matrix, [d, d].
        shift: Translation, [d].
    """

    scale: Float[Array, ""]
    rotation: Float[Array, "d d"]
    shift: Float[Array, " d"]

    def __call__(self, x: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        """Points moved by the similarity."""
        return self.scale * (x @ self.rotation.T) + self.shift


@rounded_once
def so3_from_6d(a: Float[Array, "3 2"]) -> Float[Array, "3 3"]:
    """Rotation of space whose first two columns come from two vectors by Gram-Schmidt.

    r_1 = a_1 / |a_1|,  r_2 = (a_2 - (r_1 . a_2) r_1) / |...|,  r_3 = r_1 x r_2: continuous and onto SO(3).

    Args:
        a: Two linearly independent vectors as columns, [3, 2], any scale.

    Returns:
        Rotation matrix, [3, 3]; NaN if the columns are parallel.

    Raises:
        ValueError: At trace time, if `a` is not [3, 2].

    Differentiation: exact.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import so3_from_6d
        >>> so3_from_6d(jnp.array([[2.0, 1.0], [0.0, 3.0], [0.0, 0.0]])).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]

    References: [Zhou2019].
    """
    (a,) = checks.floats("so3_from_6d", a=a)
    checks.shapes("so3_from_6d", a=(a, "3 2"))
    first = a[:, 0] / safe.norm(a[:, 0])
    across = a[:, 1] / safe.norm(a[:, 1])
    across = across - jnp.vdot(first, across) * first
    # Once more: for nearly parallel vectors the first projection leaves mostly rounding along the first vector.
    across = across - jnp.vdot(first, across) * first
    second = across / safe.norm(across)
    return jnp.stack([first, second, jnp.cross(first, second)], axis=1)


@rounded_once
def so3_geodesic(r1: Float[Array, "3 3"], r2: Float[Array, "3 3"]) -> Float[Array, ""]:
    """Angle between two rotations of space.

    The t in [0, pi] with 1 + 2 cos t = tr(R_1^T R_2), accurate at both ends.

    Args:
        r1: Rotation matrix, [3, 3].
        r2: Rotation matrix, [3, 3].

    Returns:
        Scalar, in radians.

    Raises:
        ValueError: At trace time, if the shapes are not [3, 3].

    Differentiation: exact; 0 for equal rotations, finite for opposite ones.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import so3_geodesic
        >>> round(float(so3_geodesic(jnp.eye(3), jnp.diag(jnp.array([1.0, -1.0, -1.0])))), 4)
        3.1416

    References: [Zhou2019].
    """
    r1, r2 = checks.floats("so3_geodesic", r1=r1, r2=r2)
    checks.shapes("so3_geodesic", r1=(r1, "3 3"), r2=(r2, "3 3"))
    return safe.norm(rotation_log(*difference(r1, r2))) / jnp.asarray(2**0.5, r1.dtype)


@rounded_once
def procrustes_align(x: Float[Array, "n d"], y: Float[Array, "n d"]) -> Similarity:
    """Similarity that moves one set of points closest to another, point by point.

    Minimises  sum_i |s R x_i + t - y_i|^2  over s > 0, rotations R and translations t.

    Args:
        x: Points to move, [n, d].
        y: Where they should be, [n, d], in the same order.

    Returns:
        Similarity (scale, rotation, shift), in units of y per unit of x, none, and units of y. NaN if the rotation
        is not determined, as for points on a line.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact if the rotation is determined.

    Complexity: O(n d^2 + d^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import procrustes_align
        >>> x = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
        >>> similarity = procrustes_align(x, 3 * x + 1)
        >>> round(float(similarity.scale), 4), [round(float(t), 4) for t in similarity.shift]
        (3.0, [1.0, 1.0])

    References: [Umeyama1991].
    """
    x, y = checks.floats("procrustes_align", x=x, y=y)
    checks.shapes("procrustes_align", x=(x, "n d"), y=(y, "n d"))
    centre_x, centre_y = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    x, y = x - centre_x, y - centre_y
    covariance = y.T @ x
    rotation = nearest_rotation(covariance)
    scale = jnp.vdot(rotation, covariance) / jnp.sum(jnp.square(x))
    return Similarity(scale, rotation, centre_y - scale * (rotation @ centre_x))


@rounded_once
def pa_mpjpe(x: Float[Array, "n d"], y: Float[Array, "n d"]) -> Float[Array, ""]:
    """Mean distance between corresponding points after the best similarity: the Procrustes-aligned joint error.

    (1 / n) sum_i |s R x_i + t - y_i|  with (s, R, t) = procrustes_align(x, y).

    Args:
        x: Predicted joints, [n, d].
        y: True joints, [n, d].

    Returns:
        Scalar >= 0, in units of y. Not changed by similarities of x.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact; 0 from joints that coincide.

    Complexity: O(n d^2 + d^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import pa_mpjpe
        >>> x = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
        >>> bool(pa_mpjpe(x, 3 * x + 1) < 1e-5)
        True

    References: [Yin2025]; [Umeyama1991].
    """
    aligned = procrustes_align(x, y)
    x, y = checks.floats("pa_mpjpe", x=x, y=y)
    return jnp.mean(jax.vmap(safe.norm)(aligned(x) - y))


@rounded_once
def forward_kinematics(
    parents: tuple[int, ...], rotations: Float[Array, "n d d"], offsets: Float[Array, "n d"]
) -> tuple[Float[Array, "n d d"], Float[Array, "n d"]]:
    """Orientations and positions of the joints of a kinematic tree.

    G_i = G_parent(i) R_i,  p_i = p_parent(i) + G_parent(i) o_i;  at a root G = R_i and p = o_i.

    Args:
        parents: For each joint the index of its parent, which comes before it, or -1 for a root. Static.
        rotations: Rotation of each joint relative to its parent, [n, d, d].
        offsets: Place of each joint in its parent's frame, [n, d], in units of length.

    Returns:
        Orientations [n, d, d] and positions [n, d] in the world's frame.

    Raises:
        ValueError: At trace time, if the shapes disagree or a parent does not come before its child.

    Differentiation: exact.

    Complexity: O(n d^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import forward_kinematics
        >>> quarter = jnp.array([[0.0, -1.0], [1.0, 0.0]])
        >>> offsets = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> _, places = forward_kinematics((-1, 0), jnp.stack([quarter, quarter]), offsets)
        >>> places[1].tolist()
        [0.0, 1.0]

    References: [Yin2025] for the use; the recursion is that of rigid motions.
    """
    rotations, offsets = checks.floats("forward_kinematics", rotations=rotations, offsets=offsets)
    checks.shapes("forward_kinematics", rotations=(rotations, "n d d"), offsets=(offsets, "n d"))
    if len(parents) != len(offsets) or any(not -1 <= parent < i for i, parent in enumerate(parents)):
        raise ValueError(
            f"forward_kinematics: parents is {tuple(parents)}; expected {len(offsets)} numbers, each -1 or the index "
            "of an earlier joint. Sort the joints from the roots outwards."
        )
    turns, places = [], []
    for i, parent in enumerate(parents):
        if parent < 0:
            turns.append(rotations[i])
            places.append(offsets[i])
        else:
            turns.append(turns[parent] @ rotations[i])
            places.append(places[parent] + turns[parent] @ offsets[i])
    return jnp.stack(turns), jnp.stack(places)
