"""Groups of units of two networks, many to many: spectral clustering of their correlations."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.lloyd import LloydResult, k_means_plus_plus, lloyd
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.typing import Key

STARTS = 8
"""How many starts of k-means are tried."""


@struct
class UnitGroupsResult:
    """A common grouping of the units of two networks.

    `groups_a` [p] and `groups_b` [q] give each unit the number of its group, 0 to k - 1; units with equal numbers
    belong together. `error` is the share of units that the last step of k-means moved to another group.
    """

    groups_a: Int[Array, " p"]
    groups_b: Int[Array, " q"]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def spectral_unit_match(
    correlation: Float[Array, "p q"], *, num_groups: int, key: Key, max_steps: int = 100
) -> UnitGroupsResult:
    """Groups the units of two networks together by their correlations: many-to-many matching.

    The units of both networks are the nodes of a bipartite graph with weights |R[i, j]|. The k leading singular vectors
    of D_a^-1/2 |R| D_b^-1/2, with D the degrees, give every unit a point in k dimensions. k-means on the directions of
    these points gives the groups, which minimise the normalised cut approximately.

    Args:
        correlation: Correlations R, [p, q].
        num_groups: How many groups, k <= min(p, q).
        key: Random key, for the starts of k-means.
        max_steps: Most steps of k-means.

    Returns:
        UnitGroupsResult; objective is the k-means sum of squares, of the best of eight starts. Units without any
        correlation are put into an arbitrary group.

    Raises:
        ValueError: If R is not a matrix or num_groups does not fit its shape.

    Status: CONVERGED if no unit changes its group; MAX_STEPS; NONFINITE.
    Differentiation: none (piecewise constant).
    Complexity: one singular value decomposition, O(p q min(p, q)), and O((p + q) k^2) a step.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.symmetry.units import spectral_unit_match
        >>> blocks = jnp.array([[0.9, 0.8, 0.0], [0.0, 0.1, 0.9], [0.1, 0.0, 0.7]])
        >>> result = spectral_unit_match(blocks, num_groups=2, key=jax.random.key(0))
        >>> bool(result.groups_a[0] == result.groups_b[0] == result.groups_b[1] != result.groups_a[1])
        True

    References: [Li2016], Sec. 5; [Dhillon2001].
    """
    where = "spectral_unit_match"
    checks.typed_key(where, key)
    (correlation,) = checks.floats(where, correlation=correlation)
    sizes = checks.shapes(where, correlation=(correlation, "p q"))
    max_steps = checks.count(where, "max_steps", max_steps)
    num_groups = checks.count(where, "num_groups", num_groups, minimum=1)
    if num_groups > min(sizes.values()):
        raise ValueError(
            f"{where}: num_groups is {num_groups}; expected at most {min(sizes.values())}, the smaller side of "
            f"correlation [{sizes['p']}, {sizes['q']}]. Ask for fewer groups."
        )
    similarity = jnp.abs(jax.lax.stop_gradient(correlation))
    points = jnp.concatenate(_embed(similarity, num_groups))

    def cluster(key: Key) -> LloydResult:
        start = k_means_plus_plus(points, num_centres=num_groups, key=key)
        return lloyd(points, start, max_steps=max_steps)

    runs = jax.vmap(cluster)(jax.random.split(key, STARTS))
    best = jax.tree.map(lambda values: values[jnp.argmin(runs.objective)], runs)
    return UnitGroupsResult(
        best.labels[: sizes["p"]],
        best.labels[sizes["p"] :],
        best.objective,
        best.error,
        best.num_steps,
        best.status,
    )


def _embed(similarity: Float[Array, "p q"], k: int) -> tuple[Float[Array, "p k"], Float[Array, "q k"]]:
    """Unit vectors of the rows and the columns from the leading singular vectors of the normalised similarity."""
    rows, columns = similarity.sum(axis=1), similarity.sum(axis=0)
    scale = lambda degree: jnp.where(degree > 0, 1 / jnp.sqrt(jnp.where(degree > 0, degree, 1)), 0)  # noqa: E731
    left, _, right = jnp.linalg.svd(scale(rows)[:, None] * similarity * scale(columns), full_matrices=False)
    return _directions(left[:, :k]), _directions(right[:k].T)


def _directions(x: Float[Array, "n k"]) -> Float[Array, "n k"]:
    """The rows scaled to norm 1; rows of zeros stay zero."""
    length = jnp.linalg.norm(x, axis=1, keepdims=True)
    return x / jnp.where(length > 0, length, 1)
