"""The order of the rows of an array as a frame for permutations."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame

__all__ = ["sort_frame"]


@rounded_once
def sort_frame(x: Float[Array, " n"] | Float[Array, "n d"]) -> Frame:
    """The frame of the rows of an array made of the permutation that sorts them, for S_n.

    x[g^-1] is sorted by its first column, equal entries by the next one, and so on; g = the rank of each row.

    Args:
        x: The rows, or numbers. To sort by learnt scores, call it with these.

    Returns:
        Frame: elements, one permutation of integers [1, n], which act(g, x) = x[g] undoes the sorting with; weights
        [1]; and `gap`, the least difference of two entries of the first column over their spread. At a gap of 0 the
        order jumps. Rows that are equal in all columns keep the order that they have: outputs that differ between them
        are not equivariant.

    Raises:
        ValueError: If ``x`` is neither a vector nor a matrix, or is empty.

    Differentiation: the elements are integers and have none; `gap` is exact.
    Complexity: O(d n log n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import sort_frame
        >>> elements, _ = sort_frame(jnp.array([30.0, 10.0, 20.0]))
        >>> elements.tolist()
        [[2, 0, 1]]

    References: [Puny2022].
    """
    (x,) = checks.floats("sort_frame", x=x)
    rows = x[:, None] if x.ndim == 1 else x
    checks.shapes("sort_frame", x=(rows, "n d"))
    if 0 in rows.shape:
        raise ValueError(f"sort_frame: x has shape {list(x.shape)}; expected a row and a column at least.")
    order = jnp.lexsort(rows.T[::-1])
    first = rows[order, 0]
    spread = first[-1] - first[0]
    gap = jnp.min(first[1:] - first[:-1], initial=jnp.inf) / jnp.where(spread == 0, 1, spread)
    ranks = jnp.argsort(order).astype(jnp.int32)
    return Frame(ranks[None], jnp.ones(1, x.dtype), gap)
