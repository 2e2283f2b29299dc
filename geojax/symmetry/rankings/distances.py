"""Distances between rankings."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks


def kendall_tau(s: Int[Array, " n"], t: Int[Array, " n"]) -> Float[Array, ""]:
    """Kendall's distance of two rankings: the number of pairs of items that they order differently.

    d(s, t) = sum over i < j of |sign(s_i - s_j) - sign(t_i - t_j)| / 2:  a pair that only one of them ties counts 1/2.

    Args:
        s: Positions of the items, [n].
        t: Positions in the other ranking, [n].

    Returns:
        The distance, 0 to n (n - 1) / 2. On permutations it is a metric that does not change if the items of both are
        renamed in the same way.

    Raises:
        ValueError: If the shapes disagree.

    Differentiation: none (piecewise constant).
    Complexity: O(n^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.rankings import kendall_tau
        >>> float(kendall_tau(jnp.array([0, 1, 2]), jnp.array([2, 1, 0])))
        3.0

    References: [Kendall1938]; [Goibert2023].
    """
    checks.shapes("kendall_tau", s=(s, "n"), t=(t, "n"))
    order = lambda r: jnp.sign(jnp.asarray(r)[:, None] - jnp.asarray(r))  # noqa: E731
    return jnp.sum(jnp.abs(order(s) - order(t))) / 4


def spearman_footrule(s: Int[Array, " n"], t: Int[Array, " n"]) -> Int[Array, ""]:
    """Spearman's footrule of two rankings: the sum of the distances that the items move.

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
        >>> from geojax.symmetry.rankings import spearman_footrule
        >>> int(spearman_footrule(jnp.array([0, 1, 2]), jnp.array([2, 1, 0])))
        4

    References: [Diaconis1977].
    """
    checks.shapes("spearman_footrule", s=(s, "n"), t=(t, "n"))
    return jnp.sum(jnp.abs(jnp.asarray(s) - jnp.asarray(t)))
