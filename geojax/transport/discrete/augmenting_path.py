"""Shortest augmenting paths: exact assignment in pure JAX, for accelerators."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class _Matching(NamedTuple):
    """A matching of some of the rows, with dual prices that prove it optimal for these rows."""

    column: Int[Array, " n"]  # column of each row, -1 while free
    row: Int[Array, " m"]  # row of each column, -1 while free
    u: Float[Array, " n"]  # dual price of each row
    v: Float[Array, " m"]  # dual price of each column, never positive
    feasible: Bool[Array, ""]


class _Search(NamedTuple):
    """A Dijkstra search over columns, in reduced costs, from one free row."""

    distance: Float[Array, " m"]
    parent: Int[Array, " m"]
    row_seen: Bool[Array, " n"]
    column_seen: Bool[Array, " m"]
    frontier: Int[Array, ""]  # row to expand next
    reached: Float[Array, ""]  # distance of the column reached last
    sink: Int[Array, ""]  # free column at the end of the path, -1 until it is reached


def shortest_augmenting_path(cost_matrix: Float[Array, "n m"]) -> Int[Array, " n"]:
    """Exact minimum-cost assignment by successive shortest augmenting paths.

    Each row starts with its cheapest column, unless an earlier row has it. The other rows are matched
    one by one, along a shortest path in the reduced costs C - u - v >= 0, which keeps the matching
    optimal for the rows it covers. Exact up to rounding in the dtype of the costs.

    Args:
        cost_matrix: Costs, [n, m] with 1 <= n <= m. +inf forbids a pair; NaN and -inf are not allowed.

    Returns:
        Column of each row, [n]; -1 everywhere if no assignment of finite cost exists.

    References: [Crouse2016]; [Jonker1987].
    """
    num_rows = cost_matrix.shape[0]
    # Divided by the largest finite cost, costs and prices cannot overflow when summed.
    finite = jnp.isfinite(cost_matrix)
    scale = jnp.max(jnp.where(finite, jnp.abs(cost_matrix), 0))
    cost = jnp.where(finite, cost_matrix / jnp.where(scale > 0, scale, 1), jnp.inf)

    def expand(search: _Search, matching: _Matching, row: Int[Array, ""]) -> _Search:
        """Relax the edges of the frontier row, then move on to the nearest column not yet seen."""
        reduced = search.reached + cost[search.frontier] - matching.u[search.frontier] - matching.v
        nearer = ~search.column_seen & (reduced < search.distance)
        distance = jnp.where(nearer, reduced, search.distance)
        parent = jnp.where(nearer, search.frontier, search.parent)
        open_distance = jnp.where(search.column_seen, jnp.inf, distance)
        reached = jnp.min(open_distance)
        # Of several nearest columns prefer a free one, which ends the search.
        nearest = jnp.argmax((open_distance == reached) * (1 + (matching.row < 0)))
        owner = matching.row[nearest]
        return _Search(
            distance=distance,
            parent=parent,
            row_seen=search.row_seen.at[search.frontier].set(True),
            column_seen=search.column_seen.at[nearest].set(True),
            frontier=jnp.maximum(owner, 0),
            reached=reached,
            sink=jnp.where(owner < 0, nearest.astype(jnp.int32), -1),
        )

    def augment(matching: _Matching) -> _Matching:
        """Match one more row along a shortest path and update the prices."""
        row = jnp.argmin(matching.column).astype(jnp.int32)
        wanted = matching.column[row] < 0  # false for the items of a batch that are complete
        search = jax.lax.while_loop(
            lambda s: wanted & (s.sink < 0) & jnp.isfinite(s.reached),
            lambda s: expand(s, matching, row),
            _Search(
                distance=jnp.full_like(cost[0], jnp.inf),
                parent=jnp.full_like(cost[0], -1, dtype=jnp.int32),
                row_seen=jnp.zeros_like(cost[:, 0], dtype=bool),
                column_seen=jnp.zeros_like(cost[0], dtype=bool),
                frontier=row,
                reached=jnp.zeros_like(cost[0, 0]),
                sink=jnp.full_like(cost[0, 0], -1, dtype=jnp.int32),
            ),
        )
        feasible = (search.sink >= 0) & jnp.isfinite(search.reached)
        drop = jnp.where(feasible & search.column_seen, search.reached - search.distance, 0)
        own = drop[jnp.maximum(matching.column, 0)]
        rise = jnp.where(jnp.arange(num_rows) == row, search.reached, own)
        u = matching.u + jnp.where(search.row_seen, rise, 0)
        v = matching.v - drop

        def step_back(state):
            column, row_of, end, _ = state
            via = search.parent[end]
            return column.at[via].set(end), row_of.at[end].set(via), column[via], via

        column, row_of, _, _ = jax.lax.while_loop(
            lambda state: feasible & (state[3] != row),
            step_back,
            (matching.column, matching.row, search.sink, jnp.full_like(row, -1)),
        )
        return jax.tree.map(
            lambda new, old: jnp.where(feasible, new, old),
            _Matching(column, row_of, u, v, feasible),
            matching._replace(feasible=feasible),
        )

    u = jnp.min(cost, axis=1)
    cheapest = jnp.argmin(cost, axis=1).astype(jnp.int32)
    rows = jnp.arange(num_rows, dtype=jnp.int32)
    unclaimed = jnp.full_like(cost[0], num_rows, dtype=jnp.int32)
    claimed = unclaimed.at[cheapest].min(rows)
    start = _Matching(
        column=jnp.where(claimed[cheapest] == rows, cheapest, -1),
        row=jnp.where(claimed < num_rows, claimed, -1),
        u=jnp.where(jnp.isfinite(u), u, 0),
        v=jnp.zeros_like(cost[0]),
        feasible=jnp.all(jnp.isfinite(u)),
    )
    matching = jax.lax.while_loop(lambda m: m.feasible & jnp.any(m.column < 0), augment, start)
    return jnp.where(matching.feasible, matching.column, -1)
