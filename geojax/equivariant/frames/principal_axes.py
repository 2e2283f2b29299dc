"""Frames of point sets from their principal axes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.matrices.eigenvectors import eigenvectors
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame, uniform

__all__ = ["pca_frame"]


@rounded_once
def pca_frame(
    points: Float[Array, "n d"],
    weights: Float[Array, " n"] | None = None,
    *,
    proper: bool = False,
    translations: bool = True,
) -> Frame:
    """The frame of a point set made of its centroid and its principal axes, with all their signs.

    C = sum_i w_i (x_i - m)(x_i - m)^T / sum_i w_i = V diag(l) V^T;  g = [[V diag(s), m], [0, 1]] for all signs s.
    The frame of the points g x_i is that of the x_i, moved by g, for every rigid motion g.

    Args:
        points: The points, in rows, in any unit of length.
        weights: Weights of the points, at least 0: masses, or 1 for the points that count and 0 for padding. By
            default all 1.
        proper: Whether only elements of determinant 1 are listed: half of them, for the groups SE(d) and SO(d) in
            place of E(d) and O(d); static.
        translations: Whether the group moves the origin. If not, C is about the origin, m is 0, and the elements are
            matrices V diag(s) of O(d) or SO(d); static.

    Returns:
        Frame: elements [k, d + 1, d + 1], or [k, d, d] without translations, where k is 2^d, or 2^(d - 1) if proper;
        equal weights [k]; and `gap`, the least difference of two eigenvalues of C over the largest one. At a gap of 0
        the axes are not determined: averages over the frame are not equivariant there, and jump nearby. No frame
        avoids this.

    Raises:
        ValueError: If ``points`` is no matrix or empty, or ``weights`` are not one for each point.

    Differentiation: exact where the gap is above rounding; at a tie the tied axes are taken not to turn into each
    other. So gradients are finite everywhere, and right for averages of functions that are equivariant themselves.

    Complexity: O(n d^2 + d^3 + 2^d d^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import pca_frame
        >>> square = jnp.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> frame = pca_frame(square + 5.0)
        >>> frame.elements.shape, float(frame.gap), frame.elements[0, :2, 2].tolist()
        ((4, 3, 3), 0.75, [5.0, 5.0])

    References: [Puny2022], and [Duval2023], who draw one of the elements.
    """
    if weights is None:
        (points,) = checks.floats("pca_frame", points=points)
        weights = jnp.ones(jnp.shape(points)[:1], points.dtype)
    points, weights = checks.floats("pca_frame", points=points, weights=weights)
    size = checks.shapes("pca_frame", points=(points, "n d"), weights=(weights, "n"))["d"]
    if 0 in points.shape:
        raise ValueError(
            f"pca_frame: points has shape {list(points.shape)}; expected a point and an axis at least."
        )
    total = jnp.sum(weights)
    shares = jnp.where(total == 0, 0, weights / jnp.where(total == 0, 1, total))
    middle = shares @ points if translations else jnp.zeros(size, points.dtype)
    # The axes do not depend on the unit; in this one no square overflows.
    apart = jnp.where(shares[:, None] == 0, 0, points - middle)
    unit = jax.lax.stop_gradient(jnp.max(jnp.abs(apart), initial=0))
    apart = apart / jnp.where(unit == 0, 1, unit)
    values, axes = eigenvectors(apart.T @ (shares[:, None] * apart))
    gaps, largest = values[1:] - values[:-1], values[-1]
    gap = jnp.min(gaps, initial=jnp.inf) / jnp.where(largest == 0, 1, largest)
    axes = axes[:, ::-1]
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=size)))
    if proper:
        signs = signs[np.prod(signs, axis=1) > 0]
        mirrored = jax.lax.stop_gradient(jnp.linalg.det(axes) < 0)
        axes = axes.at[:, -1].multiply(jnp.where(mirrored, -1, 1).astype(axes.dtype))
    elements = axes * jnp.asarray(signs, axes.dtype)[:, None, :]
    if translations:
        elements = jax.vmap(lambda turn: _motion(turn, middle))(elements)
    return Frame(elements, uniform(len(signs), points.dtype), gap)


def _motion(turn: Float[Array, "d d"], shift: Float[Array, " d"]) -> Float[Array, "d1 d1"]:
    """The matrix [[turn, shift], [0, 1]]."""
    size = len(shift)
    return jnp.eye(size + 1, dtype=turn.dtype).at[:size, :size].set(turn).at[:size, size].set(shift)
