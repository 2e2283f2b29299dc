"""How much of the data must change before the median does."""

import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.symmetry.rankings.distances import kendall_tau
from geojax.typing import Scalar

MAX_ATTACKED = 6
"""Most items of `breakdown`, which tries every ranking."""

BISECTIONS = 24
"""Halvings of the interval that contains the level of an attack."""


@struct
class BreakdownResult:
    """The smallest contamination that moves a statistic of rankings.

    `level` is the share of the data that has to be replaced, 1 if no attack succeeds; `attack` is the ranking that
    replaces them.
    """

    level: Float[Array, ""]
    attack: Int[Array, " n"]


@rounded_once
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
        BreakdownResult; level is exact to 2^-24 if an attack that succeeds at e succeeds at every larger e.

    Raises:
        TypeError: If ``statistic`` is no function.
        ValueError: If P is not square or has more than 6 items.

    Differentiation: none (stop_gradient).
    Complexity: 24 n! values of the statistic.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.rankings import breakdown, kemeny_median
        >>> result = breakdown(jnp.array([[0.5, 0.75], [0.25, 0.5]]), kemeny_median, delta=1)
        >>> round(float(result.level), 3), result.attack.tolist()
        (0.333, [1, 0])

    References: [Goibert2023].
    """
    (pairwise,) = checks.floats("breakdown", pairwise=pairwise)
    n = checks.shapes("breakdown", pairwise=(pairwise, "n n"))["n"]
    checks.function("breakdown", "statistic", statistic, "Pass one such as kemeny_median.")
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
