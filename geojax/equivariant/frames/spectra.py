"""Frames of graphs from the heat on them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame

__all__ = ["laplacian_frame"]

# Rational, so that keys are equal only where all the spectral projections are: exponentials of different algebraic
# numbers are linearly independent over the algebraic numbers (Lindemann and Weierstrass).
_TIME = 4.0


@rounded_once
def laplacian_frame(adjacency: Float[Array, "n n"], *, depth: int = 1) -> Frame:
    """The frame of a graph made of the orders of its vertices by the heat that stays at each, for S_n.

    k_u = exp(-4 (L + sum_i e_{r_i} e_{r_i}^T / 2 i))_uu;  g = the rank of k_u, for every tuple r of `depth` vertices.
    L is the Laplacian over its largest row sum. Marked vertices r_i tell apart what the spectrum alone does not. Only
    the orders count that tell the most vertices apart, all of these alike.

    Args:
        adjacency: Weights of the edges, symmetric. The unit does not matter.
        depth: How many vertices are marked. 0 serves graphs whose vertices have different heats, 1 most others; regular
            and symmetric ones need more, a cycle 2; static.

    Returns:
        Frame: elements, permutations of integers [n^depth, n], which ``act(g, a) = a[g[:, None], g]`` undoes the
        sorting with; weights [n^depth], 0 for orders that do not count; and `gap`, the least difference of two heats in
        an order that counts, 0 if vertices are tied in all of them, within rounding. Tied vertices keep the order that
        they have. Averages are equivariant where the gap is above 0; where it is 0 and an automorphism exchanges tied
        vertices, those of invariant functions are still invariant.

    Raises:
        ValueError: If ``adjacency`` is not square or is empty, or ``depth`` is below 0.
        TypeError: If ``depth`` is no Python integer.

    Differentiation: stop_gradient; the elements are integers.
    Complexity: O(n^(depth + 3)).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import laplacian_frame
        >>> path = jnp.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
        >>> elements, weights = laplacian_frame(path)
        >>> elements.tolist(), weights.tolist()
        ([[0, 1, 2], [1, 0, 2], [2, 1, 0]], [0.5, 0.0, 0.5])

    References: [Puny2022], whose frame sorts by all spectral projections.
    """
    (adjacency,) = checks.floats("laplacian_frame", adjacency=adjacency)
    size = checks.shapes("laplacian_frame", adjacency=(adjacency, "n n"))["n"]
    depth = checks.count("laplacian_frame", "depth", depth)
    if size == 0:
        raise ValueError("laplacian_frame: adjacency has shape [0, 0]; expected a vertex at least.")
    adjacency = linalg.symmetric(jax.lax.stop_gradient(adjacency))
    laplacian = jnp.diag(jnp.sum(adjacency, axis=1)) - adjacency
    largest = jnp.max(jnp.sum(jnp.abs(laplacian), axis=1))
    laplacian = laplacian / jnp.where(largest == 0, 1, largest)
    roots = np.indices((size,) * depth).reshape(depth, size**depth).T
    marks = np.zeros((len(roots), size))
    for place in range(depth):
        marks[np.arange(len(roots)), roots[:, place]] += 1 / (2 * (place + 1))

    def heats(marks: Array) -> Array:
        values, vectors = jnp.linalg.eigh(laplacian + jnp.diag(marks))
        return jnp.square(vectors) @ jnp.exp(-_TIME * values)

    keys = jax.vmap(heats)(jnp.asarray(marks, laplacian.dtype))
    order = jnp.argsort(keys, axis=1)
    apart = jnp.diff(jnp.take_along_axis(keys, order, axis=1), axis=1)
    tied = apart <= 16 * size * jnp.finfo(keys.dtype).eps
    told_apart = jnp.sum(~tied, axis=1)
    counts = told_apart == jnp.max(told_apart)
    least = jnp.min(jnp.where(tied, 0, apart), axis=1, initial=jnp.inf)
    gap = jnp.min(jnp.where(counts, least, jnp.inf))
    weights = counts.astype(keys.dtype) / jnp.sum(counts)
    return Frame(jnp.argsort(_with_ties(order, tied), axis=1).astype(jnp.int32), weights, gap)


def _with_ties(order: Array, tied: Array) -> Array:
    """The orders with tied vertices by number, so that rounding does not decide."""
    classes = jnp.cumsum(jnp.pad(~tied, ((0, 0), (1, 0))), axis=1)
    return jax.vmap(lambda row, kinds: row[jnp.lexsort((row, kinds))])(order, classes)
