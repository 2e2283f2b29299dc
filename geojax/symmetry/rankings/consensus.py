"""Medians of rankings: the Kemeny median, and the one that ties items which the data do not separate."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax.typing import Scalar

MAX_ITEMS = 12
"""Most items of an exact median, which visits every subset."""


@rounded_once
def kemeny_median(pairwise: Float[Array, "n n"]) -> Int[Array, " n"]:
    """The ranking of least expected Kendall distance to a distribution of rankings.

    Minimises  sum over pairs that r puts in the order i, j of P[j, i],  exactly, by dynamic programming over the sets
    of items ranked first. If majorities are transitive, it is their order.

    Args:
        pairwise: P[i, j], the probability that i is before j, [n, n] with n <= 12; the diagonal is not read.

    Returns:
        The position of each item, [n]; of several best rankings, the one that puts smaller numbers first. All -1 if P
        is not finite.

    Raises:
        ValueError: If P is not square or has more than 12 items.

    Differentiation: none (piecewise constant).
    Complexity: O(2^n n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.rankings import kemeny_median
        >>> kemeny_median(jnp.array([[0.5, 0.2, 0.6], [0.8, 0.5, 0.9], [0.4, 0.1, 0.5]])).tolist()
        [1, 0, 2]

    References: [Kemeny1959]; [Goibert2023].
    """
    (pairwise,) = checks.floats("kemeny_median", pairwise=pairwise)
    n = checks.shapes("kemeny_median", pairwise=(pairwise, "n n"))["n"]
    if n > MAX_ITEMS:
        raise ValueError(
            f"kemeny_median: pairwise has {n} items; expected at most {MAX_ITEMS}, as every subset is visited. "
            "Rank fewer items."
        )
    members = jnp.asarray((np.arange(2**n)[:, None] >> np.arange(n)) & 1, bool)
    without = jnp.asarray(np.arange(2**n)[:, None] & ~(1 << np.arange(n)), jnp.int32)

    def extend(mask, table):
        costs, last = table
        # If item j comes last in the set, each item outside pays the probability that it is before j.
        behind = jnp.where(members[mask][:, None], 0, pairwise).sum(axis=0)
        options = jnp.where(members[mask], costs[without[mask]] + behind, jnp.inf)
        # Of several best items, the one with the largest number goes last.
        best = n - 1 - jnp.argmin(options[::-1])
        return costs.at[mask].set(options[best]), last.at[mask].set(best.astype(jnp.int32))

    start = vary_with((jnp.zeros(2**n, pairwise.dtype), jnp.zeros(2**n, jnp.int32)), pairwise)
    _, last = jax.lax.fori_loop(1, 2**n, extend, start)

    def place(position, state):
        ranks, mask = state
        item = last[mask]
        return ranks.at[item].set(n - 1 - position), without[mask, item]

    first = vary_with((jnp.zeros(n, jnp.int32), jnp.asarray(2**n - 1, jnp.int32)), pairwise)
    ranks, _ = jax.lax.fori_loop(0, n, place, first)
    finite = jnp.all(jnp.isfinite(jnp.where(jnp.eye(n, dtype=bool), 0, pairwise)))
    return jnp.where(finite, ranks, -1)


@rounded_once
def bucket_merge(pairwise: Float[Array, "n n"], *, threshold: Scalar) -> Int[Array, " n"]:
    """A median that ties items which the data do not separate; contaminated data move it less easily.

    Neighbours i, j in the Kemeny median share a bucket if  |P[i, j] - 1/2| <= threshold.

    Args:
        pairwise: P[i, j], the probability that i is before j, [n, n] with n <= 12.
        threshold: In [0, 1/2]; at 1/2 all items are tied.

    Returns:
        The bucket of each item, [n], numbered from 0; all -1 if P is not finite.

    Raises:
        ValueError: As for `kemeny_median`.

    Differentiation: none (piecewise constant).
    Complexity: that of `kemeny_median`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.rankings import bucket_merge
        >>> near_tie = jnp.array([[0.5, 0.51, 0.9], [0.49, 0.5, 0.9], [0.1, 0.1, 0.5]])
        >>> bucket_merge(near_tie, threshold=0.05).tolist()
        [0, 0, 1]

    References: [Goibert2023].
    """
    ranks = kemeny_median(pairwise)
    order = jnp.argsort(ranks)
    clear = jnp.abs(jnp.asarray(pairwise)[order[:-1], order[1:]] - 0.5) > threshold
    buckets = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(clear, dtype=jnp.int32)])
    return jnp.where(ranks < 0, -1, jnp.zeros_like(ranks).at[order].set(buckets[: order.shape[0]]))
