"""Groups of units that respond alike, many to many: spectral clustering of the correlations of two networks."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.typing import Key

STARTS = 8
"""How many k-means starts are tried."""


@struct
class UnitGroupsResult:
    """A common grouping of the units of two networks.

    `groups_a` [p] and `groups_b` [q] hold the number, 0 to k - 1, of each unit's group; units with equal numbers belong
    together. `error` is the share of units that the last step of k-means moved to another group.
    """

    groups_a: Int[Array, " p"]
    groups_b: Int[Array, " q"]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def spectral_unit_match(
    correlation: Float[Array, "p q"], *, num_groups: int, key: Key, max_steps: int = 100
) -> UnitGroupsResult:
    """Groups the units of two networks together by their correlations: many-to-many matching.

    The units of both networks are the nodes of a bipartite graph with weights |R[i, j]|. The k leading singular vectors
    of D_a^-1/2 |R| D_b^-1/2, with D the degrees, place every unit in k dimensions; k-means on the directions gives the
    groups, which minimises the normalised cut approximately.

    Args:
        correlation: Correlations R, [p, q].
        num_groups: How many groups, k <= min(p, q).
        key: Random key, for the starts of k-means.
        max_steps: Most steps of k-means.

    Returns:
        UnitGroupsResult; objective is the k-means sum of squares, of the best of eight starts. Units without any
        correlation go to an arbitrary group.

    Raises:
        ValueError: If R is not a matrix or num_groups does not fit its shape.

    Status: CONVERGED when no unit changes its group; MAX_STEPS; NONFINITE.
    Differentiation: none (piecewise constant).
    Complexity: one singular value decomposition, O(p q min(p, q)), and O((p + q) k^2) a step.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.symmetry.units import spectral_unit_match
        >>> blocks = jnp.array([[0.9, 0.8, 0.0], [0.0, 0.1, 0.9], [0.1, 0.0, 0.7]])
        >>> found = spectral_unit_match(blocks, num_groups=2, key=jax.random.key(0))
        >>> bool(found.groups_a[0] == found.groups_b[0] == found.groups_b[1] != found.groups_a[1])
        True

    References: [Li2016], Sec. 5; [Dhillon2001].
    """
    where = "spectral_unit_match"
    checks.typed_key(where, key)
    (correlation,) = checks.floats(where, correlation=correlation)
    sizes = checks.shapes(where, correlation=(correlation, "p q"))
    num_groups = checks.count(where, "num_groups", num_groups, minimum=1)
    if num_groups > min(sizes.values()):
        raise ValueError(
            f"{where}: num_groups is {num_groups}; expected at most {min(sizes.values())}, the smaller side of "
            f"correlation [{sizes['p']}, {sizes['q']}]. Ask for fewer groups."
        )
    similarity = jnp.abs(jax.lax.stop_gradient(correlation))
    places = jnp.concatenate(_embed(similarity, num_groups))
    runs = jax.vmap(lambda k: _k_means(places, num_groups, k, max_steps))(jax.random.split(key, STARTS))
    best = jax.tree.map(lambda values: values[jnp.argmin(runs[1])], runs)
    groups, objective, error, num_steps, status = best
    return UnitGroupsResult(groups[: sizes["p"]], groups[sizes["p"] :], objective, error, num_steps, status)


def _embed(similarity: Float[Array, "p q"], k: int) -> tuple[Float[Array, "p k"], Float[Array, "q k"]]:
    """Unit vectors of the rows and the columns from the leading singular vectors of the normalised similarity."""
    rows, columns = similarity.sum(axis=1), similarity.sum(axis=0)
    scale = lambda degree: jnp.where(degree > 0, 1 / jnp.sqrt(jnp.where(degree > 0, degree, 1)), 0)  # noqa: E731
    left, _, right = jnp.linalg.svd(scale(rows)[:, None] * similarity * scale(columns), full_matrices=False)
    return _directions(left[:, :k]), _directions(right[:k].T)


def _directions(x: Float[Array, "n k"]) -> Float[Array, "n k"]:
    length = jnp.linalg.norm(x, axis=1, keepdims=True)
    return x / jnp.where(length > 0, length, 1)


def _k_means(x: Float[Array, "n k"], k: int, key: Key, max_steps: int):
    """Lloyd's algorithm from k points, each drawn far from those before it."""

    def distances(centres: Array) -> Float[Array, "n k"]:
        return jnp.sum(jnp.square(x[:, None] - centres[None]), axis=-1)

    def draw(i, centres):
        chosen = jnp.arange(k) < i
        nearest = jnp.min(jnp.where(chosen, distances(centres), jnp.inf), axis=1)
        log_weight = jnp.where(i == 0, 0.0, jnp.log(jnp.where(jnp.isfinite(nearest), nearest, 1)))
        return centres.at[i].set(x[jax.random.categorical(jax.random.fold_in(key, i), log_weight)])

    def advance(state):
        centres, before = state
        groups = jnp.argmin(distances(centres), axis=1)
        member = jax.nn.one_hot(groups, k, dtype=x.dtype)
        count = member.sum(axis=0)[:, None]
        mean = member.T @ x / jnp.where(count > 0, count, 1)
        return (jnp.where(count > 0, mean, centres), groups), jnp.mean(groups != before, dtype=x.dtype)

    start = jax.lax.fori_loop(0, k, draw, vary_with(jnp.zeros((k, x.shape[1]), x.dtype), x, key))
    nobody = jnp.full(x.shape[0], -1, jnp.argmin(x, axis=1).dtype)
    end = iterate(advance, (start, nobody), tol=0.0, max_steps=max_steps)
    centres, groups = end.state
    objective = jnp.sum(jnp.min(distances(centres), axis=1))
    return groups.astype(jnp.int32), objective, end.error, end.num_steps, end.status
