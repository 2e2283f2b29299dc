"""Rankings as permutations: distances on the symmetric group, medians, and how much of the data can move them.

A ranking holds the position of each item, rank[i]; equal positions are a tie. A distribution of rankings is known by
its pairwise matrix P[i, j], the probability that i is ranked before j.
"""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax.typing import Scalar

MAX_ITEMS = 12
"""Most items of an exact median: it looks at every subset."""

MAX_ATTACKED = 6
"""Most items of `breakdown`: it looks at every ranking."""

BISECTIONS = 24
"""Halvings of the interval in which the level of an attack lies."""


def kendall_tau(s: Int[Array, " n"], t: Int[Array, " n"]) -> Float[Array, ""]:
    """Kendall's distance of two rankings: the pairs of items that they order differently.

    d(s, t) = sum over i < j of |sign(s_i - s_j) - sign(t_i - t_j)| / 2:  a pair tied in one alone counts 1/2.

    Args:
        s: Positions of the items, [n].
        t: Positions in the other ranking, [n].

    Returns:
        The distance, 0 to n (n - 1) / 2. On permutations it is a metric that does not change when both rename their
        items alike.

    Raises:
        ValueError: If the shapes disagree.

    Differentiation: none (piecewise constant).
    Complexity: O(n^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry import kendall_tau
        >>> float(kendall_tau(jnp.array([0, 1, 2]), jnp.array([2, 1, 0])))
        3.0

    References: [Kendall1938]; [Goibert2023].
    """
    checks.shapes("kendall_tau", s=(s, "n"), t=(t, "n"))
    order = lambda r: jnp.sign(jnp.asarray(r)[:, None] - jnp.asarray(r))  # noqa: E731
    return jnp.sum(jnp.abs(order(s) - order(t))) / 4


def spearman_footrule(s: Int[Array, " n"], t: Int[Array, " n"]) -> Int[Array, ""]:
    """Spearman's footrule of two rankings: how far the items move in all.

    d(s, t) = sum over i of |s_i - t_i|,  between Kendall's distance and twice it on permutations.

    Args:
        s: Positions of the items, [n].
        t: Positions in the other ranking, [n].

    Returns:
        The distance, an integer.

    Raises:
        ValueError: If the shapes disagree.

    Differentiation: none (integers).
    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry import spearman_footrule
        >>> int(spearman_footrule(jnp.array([0, 1, 2]), jnp.array([2, 1, 0])))
        4

    References: [Diaconis1977].
    """
    checks.shapes("spearman_footrule", s=(s, "n"), t=(t, "n"))
    return jnp.sum(jnp.abs(jnp.asarray(s) - jnp.asarray(t)))


def kemeny_median(pairwise: Float[Array, "n n"]) -> Int[Array, " n"]:
    """The ranking of least expected Kendall distance to a distribution of rankings.

    Minimises  sum over pairs that r puts in the order i, j of P[j, i],  exactly, by dynamic programming over the sets
    of items ranked first. Where majorities are transitive it is their order.

    Args:
        pairwise: P[i, j], the probability that i is before j, [n, n] with n <= 12; the diagonal is not read.

    Returns:
        The position of each item, [n], the one with smaller numbers first where several are best; all -1 if P is not
        finite.

    Raises:
        ValueError: If P is not square or has more than 12 items.

    Differentiation: none (piecewise constant).
    Complexity: O(2^n n).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry import kemeny_median
        >>> kemeny_median(jnp.array([[0.5, 0.2, 0.6], [0.8, 0.5, 0.9], [0.4, 0.1, 0.5]])).tolist()
        [1, 0, 2]

    References: [Kemeny1959]; [Goibert2023].
    """
    (pairwise,) = checks.floats("kemeny_median", pairwise=pairwise)
    n = checks.shapes("kemeny_median", pairwise=(pairwise, "n n"))["n"]
    if n > MAX_ITEMS:
        raise ValueError(
            f"kemeny_median: pairwise has {n} items; expected at most {MAX_ITEMS}, as every subset is looked at. "
            "Rank fewer items."
        )
    members = jnp.asarray((np.arange(2**n)[:, None] >> np.arange(n)) & 1, bool)
    without = jnp.asarray(np.arange(2**n)[:, None] & ~(1 << np.arange(n)), jnp.int32)

    def extend(mask, table):
        costs, last = table
        # Item j comes last of the set: every item outside it that would rather be before j is a cost.
        behind = jnp.where(members[mask][:, None], 0, pairwise).sum(axis=0)
        options = jnp.where(members[mask], costs[without[mask]] + behind, jnp.inf)
        # The larger number goes last among equals.
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


def bucket_merge(pairwise: Float[Array, "n n"], *, threshold: Scalar) -> Int[Array, " n"]:
    """A median that ties the items it cannot tell apart: harder to move by contaminated data.

    Neighbours i, j of the Kemeny median go into one bucket where  |P[i, j] - 1/2| <= threshold.

    Args:
        pairwise: P[i, j], the probability that i is before j, [n, n] with n <= 12.
        threshold: In [0, 1/2]; at 1/2 everything is tied.

    Returns:
        The bucket of each item, [n], numbered from 0; all -1 if P is not finite.

    Raises:
        ValueError: As for `kemeny_median`.

    Differentiation: none (piecewise constant).
    Complexity: that of `kemeny_median`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry import bucket_merge
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


@struct
class BreakdownResult:
    """The smallest contamination that moves a statistic of rankings.

    `level` is the share of the data that has to be replaced, 1 if no attack succeeds; `attack` the ranking they are
    replaced by.
    """

    level: Float[Array, ""]
    attack: Int[Array, " n"]


def breakdown(
    pairwise: Float[Array, "n n"], statistic: Callable[[Array], Array], *, delta: Scalar
) -> BreakdownResult:
    """How much of a distribution of rankings must be replaced to move its consensus by delta.

    The smallest e with  d(statistic((1 - e) P + e Q), statistic(P)) >= delta  over the pairwise matrices Q of single
    rankings, d Kendall's distance, found by bisection for each ranking. Mixtures of rankings may do better, so the
    level bounds the breakdown point from above.

    Args:
        pairwise: P[i, j], the probability that i is before j, [n, n] with n <= 6.
        statistic: pairwise matrix -> ranking or buckets [n], such as `kemeny_median`.
        delta: Distance that counts as broken, > 0.

    Returns:
        BreakdownResult; level is exact to 2^-24 where a success stays one as e grows.

    Raises:
        ValueError: If P is not square or has more than 6 items.

    Differentiation: none (stop_gradient).
    Complexity: 24 n! values of the statistic.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry import breakdown, kemeny_median
        >>> found = breakdown(jnp.array([[0.5, 0.75], [0.25, 0.5]]), kemeny_median, delta=1)
        >>> round(float(found.level), 3), found.attack.tolist()
        (0.333, [1, 0])

    References: [Goibert2023].
    """
    (pairwise,) = checks.floats("breakdown", pairwise=pairwise)
    n = checks.shapes("breakdown", pairwise=(pairwise, "n n"))["n"]
    if n > MAX_ATTACKED:
        raise ValueError(
            f"breakdown: pairwise has {n} items; expected at most {MAX_ATTACKED}, as every ranking is tried. "
            "Rank fewer items."
        )
    pairwise = jax.lax.stop_gradient(pairwise)
    attacks = jnp.asarray(list(itertools.permutations(range(n))), jnp.int32)
    before = statistic(pairwise)

    def broken(level: Array, attack: Array) -> Array:
        certain = (attack[:, None] < attack).astype(pairwise.dtype)
        after = statistic((1 - level) * pairwise + level * certain)
        return kendall_tau(after, before) >= delta

    def level_of(attack: Array) -> Array:
        def halve(_, bounds):
            low, high = bounds
            middle = (low + high) / 2
            success = broken(middle, attack)
            return jnp.where(success, low, middle), jnp.where(success, middle, high)

        ends = vary_with((jnp.zeros((), pairwise.dtype), jnp.ones((), pairwise.dtype)), pairwise)
        _, level = jax.lax.fori_loop(0, BISECTIONS, halve, ends)
        return level

    levels = jax.vmap(level_of)(attacks)
    best = jnp.argmin(levels)
    return BreakdownResult(jnp.where(jnp.all(jnp.isfinite(pairwise)), levels[best], jnp.nan), attacks[best])
