"""Minimum-cost assignment: the optimal coupling of two uniform measures of the same size."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, Float, Int, Num
from scipy.optimize import linear_sum_assignment

from geojax._core import checks
from geojax.transport.discrete.augmenting_path import shortest_augmenting_path
from geojax.transport.measures import arrays


def assignment(cost_matrix: Num[Array, "n m"]) -> Int[Array, " n"]:
    """Exact minimum-cost assignment of the rows to different columns.

    Minimises  sum_i C[i, perm[i]]  over injective maps perm from rows to columns. For n = m the
    result is a permutation in the convention new[i] = old[perm[i]].

    Args:
        cost_matrix: Costs, [n, m] with n <= m, any real dtype. +inf forbids a pair.

    Returns:
        perm, [n], int32. Every entry is -1 if the costs hold a NaN or -inf, or if the forbidden
        pairs leave no assignment; `assignment_cost` distinguishes the two. No value of the costs
        raises.

    Raises:
        ValueError: At trace time, if cost_matrix is not a matrix or has more rows than columns.
        TypeError: At trace time, if cost_matrix is not real.

    Differentiation: none (piecewise constant): the derivative of perm is zero. Use
        `assignment_cost`, or gather the selected costs with `jnp.take_along_axis`.

    Complexity: O(n^2 m) worst case. On CPU a whole `vmap` is one call on the host; accelerators
        use a search in pure JAX, exact up to rounding in the dtype of the costs.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import assignment
        >>> assignment(jnp.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]])).tolist()
        [1, 0, 2]

    References: [Crouse2016]; [Jonker1987].
    """
    cost = _real_matrix(cost_matrix)
    if cost.shape[0] == 0:
        return jnp.zeros((0,), jnp.int32)
    return _solve(jax.lax.stop_gradient(cost))


def assignment_cost(cost_matrix: Num[Array, "n m"]) -> Float[Array, ""]:
    """Cost of the optimal assignment, with its envelope gradient.

    min over injective maps perm of  sum_i C[i, perm[i]].

    Args:
        cost_matrix: Costs, [n, m] with n <= m, any real dtype. +inf forbids a pair.

    Returns:
        Scalar in units of cost; 0 for n = 0, +inf if the forbidden pairs leave no assignment, NaN
        if the costs hold a NaN or -inf.

    Raises:
        ValueError: At trace time, if cost_matrix is not a matrix or has more rows than columns.
        TypeError: At trace time, if cost_matrix is not real.

    Differentiation: envelope. The gradient is the permutation matrix P[i, perm[i]] = 1, one of the
        subgradients of this concave function if the optimum is not unique.

    Complexity: one `assignment`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import assignment_cost
        >>> jax.grad(assignment_cost)(jnp.array([[4.0, 1.0], [2.0, 0.0]])).tolist()
        [[0.0, 1.0], [1.0, 0.0]]

    References: [Crouse2016].
    """
    cost = _real_matrix(cost_matrix)
    perm = assignment(cost)
    solved = jnp.all(perm >= 0)
    chosen = jnp.take_along_axis(cost, jnp.maximum(perm, 0)[:, None], axis=1)
    failure = jnp.where(_has_unusable(cost), jnp.nan, jnp.inf)
    return jnp.where(solved, jnp.sum(jnp.where(solved, chosen, 0)), failure.astype(cost.dtype))


def _real_matrix(cost_matrix: Num[Array, "n m"]) -> Float[Array, "n m"]:
    """The costs as a floating matrix of at least single precision; raises for a wrong shape or dtype."""
    (cost,) = arrays("assignment", cost_matrix=cost_matrix)
    size = checks.shapes("assignment", cost_matrix=(cost, "n m"))
    if size["n"] > size["m"]:
        raise ValueError(
            f"assignment: cost_matrix has shape {list(cost.shape)}, more rows than columns; expected n <= m, "
            "as the rows get different columns. Pass cost_matrix.T; the result is then the row of each column."
        )
    return cost.astype(jnp.promote_types(cost.dtype, jnp.float32))


def _has_unusable(cost: Float[Array, "n m"]):
    """Whether any cost is NaN or -inf."""
    return jnp.any(jnp.isnan(cost) | (cost == -jnp.inf))


@jax.jit
def _solve(cost: Float[Array, "n m"]) -> Int[Array, " n"]:
    """The solver of the platform, compiled once for each shape, so that eager calls are fast too."""
    return jax.lax.platform_dependent(cost, cpu=_on_host, default=_on_device)


def _on_device(cost: Float[Array, "n m"]) -> Int[Array, " n"]:
    perm = shortest_augmenting_path(cost)
    return jnp.where(_has_unusable(cost), -1, perm)


def _on_host(cost: Float[Array, "n m"]) -> Int[Array, " n"]:
    # A buffer callback reads the operand in place. It has a tenth of pure_callback's overhead, and
    # no transfer that could wait for a device which is busy with another callback.
    result = jax.ShapeDtypeStruct(cost.shape[:1], jnp.int32)
    perm = buffer_callback(_fill_assignments, result, vmap_method="broadcast_all")(cost)
    return perm + jnp.zeros_like(
        cost[:, 0], dtype=jnp.int32
    )  # inside shard_map, varies over the mesh like cost


def _fill_assignments(_, perm, cost) -> None:
    """Solve a stack of problems [..., n, m] into [..., n]; numpy and scipy only, never raises."""
    cost = np.asarray(cost)
    perm = np.asarray(perm).reshape(-1, cost.shape[-2])
    cost = cost.reshape(-1, *cost.shape[-2:])
    lowest = cost.min(axis=(1, 2))  # NaN if any entry is
    for i, usable in enumerate(lowest > -np.inf):
        perm[i] = -1
        if usable:
            with contextlib.suppress(ValueError):  # raised if the forbidden pairs leave no assignment
                perm[i] = linear_sum_assignment(cost[i])[1]
