"""Frames along a curve in space that do not turn about it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once


@rounded_once
def bishop_frame(curve: Float[Array, "n 3"], normal: Float[Array, " 3"]) -> Float[Array, "n 3 3"]:
    """Rotation-minimising (parallel-transported) frames along a polygon in space.

    Each frame is (tangent, normal, binormal); from edge to edge the normal turns by the least rotation that takes one
    tangent to the next:  m - <t', m> (t + t') / (1 + <t, t'>).

    Args:
        curve: Points along the curve, [n, 3], n >= 2, consecutive ones distinct and no edge turning straight back.
        normal: Direction of the first normal, [3], not along the first edge; made orthogonal to it.

    Returns:
        Frames, [n, 3, 3], rows tangent, normal, binormal: orthonormal and right-handed. The tangent at a point is the
        direction of the edge that leaves it, at the last point of the edge that arrives. NaN if neighbours coincide.

    Raises:
        ValueError: At trace time, if the shapes are not these.

    Differentiation: exact.

    Complexity: O(n), in sequence.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import bishop_frame
        >>> line = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
        >>> bishop_frame(line, jnp.array([0.0, 1.0, 0.0]))[2].tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]

    References: [Bishop1975]; [ZhouChai2023] for its use on strands of hair.
    """
    where = "bishop_frame"
    curve, normal = checks.floats(where, curve=curve, normal=normal)
    n = checks.shapes(where, curve=(curve, "n 3"), normal=(normal, "3"))["n"]
    if n < 2:
        raise ValueError(f"{where}: curve has {n} point; expected at least two. Add one.")
    edges = jnp.diff(curve, axis=0)
    tangents = edges / jax.vmap(safe.norm)(edges)[:, None]
    tangents = jnp.concatenate([tangents, tangents[-1:]])

    def orthogonal(m: Array, t: Array) -> Array:
        across = m - jnp.vdot(t, m) * t
        return across / safe.norm(across)

    def turn(carry: tuple[Array, Array], following: Array) -> tuple[tuple[Array, Array], Array]:
        t, m = carry
        moved = m - jnp.vdot(following, m) / (1 + jnp.vdot(t, following)) * (t + following)
        moved = orthogonal(moved, following)
        return (following, moved), moved

    first = orthogonal(normal, tangents[0])
    _, rest = jax.lax.scan(turn, (tangents[0], first), tangents[1:])
    normals = jnp.concatenate([first[None], rest])
    return jnp.stack([tangents, normals, jnp.cross(tangents, normals)], axis=1)
