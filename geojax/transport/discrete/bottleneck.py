"""The assignment whose most expensive pair is as cheap as possible."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Num

from geojax.transport.discrete.assignment import assignment
from geojax.transport.measures import arrays


def bottleneck_assignment(cost_matrix: Num[Array, "n m"]) -> Int[Array, " n"]:
    """Exact assignment of the rows to different columns that minimises the largest cost.

    Minimises  max_i C[i, perm[i]],  the bottleneck, over injective maps perm from rows to columns, and among the
    minimisers  sum_i C[i, perm[i]].  The bottleneck is computed by bisection over the sorted costs: a threshold is high
    enough if the pairs up to it contain a complete matching.

    Args:
        cost_matrix: Costs, [n, m] with n <= m, any real dtype. +inf forbids a pair.

    Returns:
        perm, [n], int32, as from `assignment`; every entry is -1 if the costs hold a NaN or -inf, or if the
        forbidden pairs leave no assignment. The bottleneck is the largest of the selected costs.

    Raises:
        ValueError: At trace time, if cost_matrix is not a matrix or has more rows than columns.
        TypeError: At trace time, if cost_matrix is not real.

    Differentiation: none (piecewise constant). For the gradient of the bottleneck gather the selected costs
        with `jnp.take_along_axis` and take their maximum.

    Complexity: log2(n m) + 1 calls of `assignment`, and one sort of the costs.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import assignment, bottleneck_assignment
        >>> C = jnp.array([[0.0, 4.0], [4.0, 9.0]])
        >>> assignment(C).tolist(), bottleneck_assignment(C).tolist()
        ([1, 0], [1, 0])
        >>> C = jnp.array([[0.0, 7.0], [7.0, 9.0]])
        >>> assignment(C).tolist(), bottleneck_assignment(C).tolist()
        ([0, 1], [1, 0])

    References: [Burkard2012], Sec. 6.2.
    """
    (floats,) = arrays("bottleneck_assignment", cost_matrix=cost_matrix)
    costs = jax.lax.stop_gradient(jnp.asarray(cost_matrix))  # integers are compared exactly
    if costs.ndim != 2 or costs.shape[0] > costs.shape[1] or costs.shape[0] == 0:
        return assignment(costs)
    levels = jnp.sort(costs.reshape(-1))

    def is_enough(threshold: Array) -> Array:
        """Whether the pairs up to this cost contain a complete matching."""
        blocked = (costs > threshold).astype(jnp.float32)
        perm = assignment(blocked)
        return jnp.sum(jnp.take_along_axis(blocked, perm[:, None], axis=1)) == 0

    def halve(_: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        enough = is_enough(levels[middle])
        return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

    # The largest cost is high enough unless forbidden pairs leave no assignment, which the last call reports.
    first = 0 * jnp.argmin(levels).astype(jnp.int32)  # inside shard_map, varies over the mesh like the costs
    low, _ = jax.lax.fori_loop(0, costs.size.bit_length(), halve, (first, first + (costs.size - 1)))
    return assignment(jnp.where(costs > levels[low], jnp.inf, costs.astype(floats.dtype)))
