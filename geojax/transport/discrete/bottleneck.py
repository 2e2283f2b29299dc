"""The assignment whose worst pair is best."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Num

from geojax.transport.discrete.assignment import assignment


def bottleneck_assignment(cost_matrix: Num[Array, "n m"]) -> Int[Array, " n"]:
    """Exact assignment of every row to a column of its own with the smallest largest cost.

    Minimises  max_i C[i, perm[i]]  over injective maps perm from rows to columns, and among those that do,
    sum_i C[i, perm[i]]. The bottleneck is found by bisection over the n m costs in order: a threshold is reachable if
    the pairs below it hold a complete matching.

    Args:
        cost_matrix: Costs, [n, m] with n <= m, any real dtype. +inf forbids a pair.

    Returns:
        perm, [n], int32, as `assignment` gives it; every entry is -1 if the costs hold a NaN or -inf, or if the
        forbidden pairs leave no assignment. The bottleneck is the largest of the costs it selects.

    Raises:
        ValueError: At trace time, if cost_matrix is not a matrix or has more rows than columns.
        TypeError: At trace time, if cost_matrix is not real.

    Differentiation: none (piecewise constant). The gradient of the bottleneck is that of the largest selected cost:
        gather the costs with `jnp.take_along_axis` and take their maximum.

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
    costs = jax.lax.stop_gradient(jnp.asarray(cost_matrix))
    if costs.ndim != 2 or costs.shape[0] > costs.shape[1] or costs.shape[0] == 0:
        return assignment(costs)
    levels = jnp.sort(costs.reshape(-1))

    def reachable(threshold: Array) -> Array:
        blocked = (costs > threshold).astype(jnp.float32)
        perm = assignment(blocked)
        return jnp.sum(jnp.take_along_axis(blocked, perm[:, None], axis=1)) == 0

    def halve(_: Array, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        enough = reachable(levels[middle])
        return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

    # The largest cost always suffices, unless pairs are forbidden; the last assignment sees to that.
    first = 0 * jnp.argmin(levels).astype(jnp.int32)  # varies over a mesh as the costs do
    low, _ = jax.lax.fori_loop(0, costs.size.bit_length(), halve, (first, first + (costs.size - 1)))
    return assignment(jnp.where(costs > levels[low], jnp.inf, costs.astype(_floating(costs))))


def _floating(costs: Array):
    return costs.dtype if jnp.issubdtype(costs.dtype, jnp.floating) else jax.dtypes.result_type(float)
