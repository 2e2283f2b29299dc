"""k-means: Lloyd's iteration from given centres, and the k-means++ draw of centres to start from.

The points are an array [n, d], or a tree of arrays that share the leading axis; other spaces than the Euclidean pass
their squared distances and their mean.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.typing import Key

SquaredDistances = Callable[[Any, Any], Float[Array, "n k"]]
"""(points, centres) -> the squared distance of every point to every centre."""

Mean = Callable[[Any, Float[Array, " n"]], Any]
"""(points [n, ...], weights [n] that are nonnegative and sum to 1) -> point."""


@struct
class LloydResult:
    """Centres and the points that belong to each.

    `centres` [k, ...]; `labels` [n], the number of the nearest centre of each point; `objective`, the sum of squared
    distances of the points to their nearest centres; `error`, the share of points that the last step gave to another
    centre.
    """

    centres: Any
    labels: Int[Array, " n"]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def squared_euclidean(points: Float[Array, "n d"], centres: Float[Array, "k d"]) -> Float[Array, "n k"]:
    """|point - centre|^2 for every pair."""
    return jnp.sum(jnp.square(points[:, None] - centres), axis=-1)


def weighted_mean(points: Float[Array, "n d"], weights: Float[Array, " n"]) -> Float[Array, " d"]:
    """The sum over points of weight times point."""
    return jnp.einsum("n,nd->d", weights, points, precision="highest")


def lloyd(
    points: PyTree[Float[Array, "n ..."]],
    init: PyTree[Float[Array, "k ..."]],
    *,
    squared_distances: SquaredDistances = squared_euclidean,
    mean: Mean = weighted_mean,
    max_steps: int = 100,
) -> LloydResult:
    """Lloyd's iteration: gives each point to the nearest centre, then moves each centre to the mean of its points.

    The objective never rises. A centre without points stays where it is.

    Status: CONVERGED when a step gives no point to another centre; MAX_STEPS; NONFINITE if a distance is not finite.
    Complexity: n k distances and k means of n points for each step.
    """
    max_steps = checks.count("lloyd", "max_steps", max_steps)
    n = jax.tree.leaves(points)[0].shape[0]
    first = squared_distances(points, init)

    def advance(state: tuple[PyTree, Array]) -> tuple[tuple[PyTree, Array], Array]:
        centres, before = state
        distances = squared_distances(points, centres)
        labels = jnp.argmin(distances, axis=1).astype(jnp.int32)
        changed = jnp.mean(labels != before, dtype=first.dtype)
        # If a distance is NaN, which centre is nearest is not known.
        error = jnp.where(jnp.all(jnp.isfinite(distances)), changed, jnp.nan)
        return (update_centres(points, centres, labels, mean, first.dtype), labels), error

    start = vary_with((init, jnp.full(n, -1, jnp.int32)), first, points)
    end = iterate(advance, start, tol=0.0, max_steps=max_steps)
    centres, labels = end.state
    nearest = jnp.min(squared_distances(points, centres), axis=1)
    return LloydResult(centres, labels, jnp.sum(nearest), end.error, end.num_steps, end.status)


def update_centres(
    points: PyTree, centres: PyTree, labels: Int[Array, " n"], mean: Mean, dtype: jnp.dtype
) -> PyTree:
    """Each centre moved to the mean of the points with its label; a centre without points stays where it is."""
    n, k = labels.shape[0], jax.tree.leaves(centres)[0].shape[0]

    def update(number: Array, centre: PyTree) -> PyTree:
        members = (labels == number).astype(dtype)
        count = jnp.sum(members)
        # An empty cluster averages all points, and the result is not used.
        weights = jnp.where(count > 0, members / jnp.where(count > 0, count, 1), 1 / n)
        return jax.tree.map(
            lambda new, old: jnp.where(count > 0, new, old).astype(old.dtype), mean(points, weights), centre
        )

    return jax.vmap(update)(jnp.arange(k), centres)


def k_means_plus_plus(
    points: PyTree[Float[Array, "n ..."]],
    *,
    num_centres: int,
    key: Key,
    squared_distances: SquaredDistances = squared_euclidean,
) -> PyTree[Float[Array, "k ..."]]:
    """Draws k of the points, each with probability proportional to its squared distance to the nearest one drawn.

    The expected objective is within a factor 8 (log k + 2) of the best (Arthur and Vassilvitskii, 2007).
    """
    number = jnp.arange(num_centres)

    def draw(i: Array, centres: PyTree) -> PyTree:
        distances = squared_distances(points, centres)
        nearest = jnp.min(jnp.where(number < i, distances, jnp.inf), axis=1)
        log_weight = jnp.log(jnp.where(jnp.isfinite(nearest), nearest, 1))  # the first draw is uniform
        index = jax.random.categorical(jax.random.fold_in(key, i), log_weight)
        return jax.tree.map(lambda drawn, leaf: drawn.at[i].set(leaf[index]), centres, points)

    nothing = jax.tree.map(lambda leaf: jnp.zeros((num_centres, *leaf.shape[1:]), leaf.dtype), points)
    return jax.lax.fori_loop(0, num_centres, draw, vary_with(nothing, points, key))
