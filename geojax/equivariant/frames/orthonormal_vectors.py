"""Frames from vectors that turn with a point, made orthonormal one after the other."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame

__all__ = ["gram_schmidt_frame"]


@rounded_once
def gram_schmidt_frame(vectors: Float[Array, "k d"], *, signature: Float[Array, " d"] | None = None) -> Frame:
    """The frame of d vectors, or of d - 1 and an orientation, by the process of Gram and Schmidt.

    Column j of g is v_j less its parts along the columns before it, at length 1; g^T D g = D with D = diag(signature).
    If the vectors become h v_j with h^T D h = D, then g becomes h g.

    Args:
        vectors: The vectors, in rows, in any units: d of them for the group O(d), or d - 1 for SO(d), whose last
            column is the one that makes the determinant 1. They come from a function that is equivariant itself: of
            points, say, sums weighted by invariants.
        signature: The diagonal D of the metric, entries 1 and -1; by default all 1. For Lorentz groups
            [1, -1, -1, -1]: what is left of v_j must have a square of the sign of entry j, so the first vector is
            timelike, and then all others fit.

    Returns:
        Frame: elements [1, d, d], weights [1], and `gap`, the least of the lengths of what is left of the v_j, each
        over the Euclidean length of v_j. At a gap of 0, within rounding, a coordinate axis takes the place of a vector
        that depends on those before it or has square 0: g is still of the group, and no more equivariant. NaN if a
        square has the wrong sign.

    Raises:
        ValueError: If there are neither d nor d - 1 vectors, or ``signature`` is no vector of d.

    Differentiation: exact where the gap is above rounding, and finite at 0.
    Complexity: O(d^3) for the d vectors, and O(d^4) to look for axes.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import gram_schmidt_frame
        >>> elements, _ = gram_schmidt_frame(jnp.array([[0.0, 2.0], [3.0, 4.0]]))
        >>> elements[0].tolist()
        [[0.0, 1.0], [1.0, 0.0]]

    References: [Kaba2023].
    """
    if signature is None:
        (vectors,) = checks.floats("gram_schmidt_frame", vectors=vectors)
        metric, slack = jnp.ones(jnp.shape(vectors)[-1:], vectors.dtype), None
    else:
        vectors, metric = checks.floats("gram_schmidt_frame", vectors=vectors, signature=signature)
        slack = 16 * float(jnp.finfo(vectors.dtype).eps)
    size = checks.shapes("gram_schmidt_frame", signature=(metric, "d"), vectors=(vectors, "k d"))["d"]
    if len(vectors) not in (size, size - 1) or size == 0:
        raise ValueError(
            f"gram_schmidt_frame: vectors has shape {list(vectors.shape)}; expected [d, d], or [d - 1, d] for elements "
            "of determinant 1. Leave some out, or take more."
        )
    # Squares of dependent vectors are of second order in rounding, those of vectors of square 0 of first order.
    slack = (16 * size * float(jnp.finfo(vectors.dtype).eps)) ** 2 if slack is None else slack
    columns, gaps = jnp.zeros((0, size), vectors.dtype), []
    for vector in vectors:
        column, gap = _next(columns, vector, metric, slack)
        columns, gaps = jnp.concatenate([columns, column[None]]), [*gaps, gap]
    if len(vectors) == size - 1:
        last, _ = _next(columns, jnp.zeros(size, vectors.dtype), metric, slack)
        full = jnp.concatenate([columns, last[None]])
        mirrored = jnp.linalg.det(jax.lax.stop_gradient(full)) < 0
        columns = full.at[-1].multiply(jnp.where(mirrored, -1, 1).astype(full.dtype))
    gap = jnp.min(jnp.stack(gaps)) if gaps else jnp.asarray(jnp.inf, vectors.dtype)
    return Frame(columns.T[None], jnp.ones(1, vectors.dtype), gap)


def _next(
    columns: Float[Array, "j d"], vector: Float[Array, " d"], metric: Float[Array, " d"], slack: float
) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """What is left of a vector, at length 1, and its length; of a coordinate axis if nothing is left."""
    sign = metric[len(columns)]
    signs = metric[: len(columns)]

    def rest(v: Array) -> Array:
        for _ in range(2):  # once more, for the digits that the first time cancels
            v = v - (signs * (columns @ (metric * v))) @ columns
        return v

    def square(v: Array) -> Array:
        return sign * jnp.sum(metric * v * v)

    length = safe.norm(vector)
    vector = vector / jnp.where(length == 0, 1, length)
    left = square(rest(vector))
    lost = jax.lax.stop_gradient(jnp.abs(left)) <= slack
    axes = jnp.eye(len(vector), dtype=vector.dtype)
    best = jnp.argmax(jax.vmap(lambda axis: square(rest(axis)))(axes))
    taken = rest(jnp.where(lost, axes[best], vector))
    return taken / jnp.sqrt(square(taken)), jnp.where(lost, 0, safe.sqrt(jnp.where(lost, 0, left)))
