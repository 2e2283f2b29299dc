"""Unordered points of a manifold: M^n modulo the permutations of its n points."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from geojax._core.struct import static, struct
from geojax.manifolds.base.geodesics import LogResult
from geojax.manifolds.products.power import Power


@struct
class SymmetricPower(Power):
    """Sets of n points of one manifold, M^n / S_n: as `Power`, but without an order of the rows.

    dist(x, y)^2 = min over permutations p of sum_i dist(x_i, y_p(i))^2: n times the squared 2-Wasserstein distance
    between n points of equal weight. log, transport and geodesics take the rows of y in the order that attains the
    minimum.

    Args:
        manifold: The manifold of each row.
        assign: cost_matrix [n, n] -> the column of each row, [n], of an exact minimum-cost assignment, such as
            `geojax.transport.assignment`. Static.

    Returns:
        A manifold whose points have a leading axis of n rows. The logarithm at x is in the order of x's rows, a tangent
        vector carried to y in the order of y's. `log_with_info` is unique if no other assignment costs the same and
        the rows' logarithms are unique; to find out takes n more assignments.

    Raises:
        TypeError if `manifold` is not one or `assign` cannot be called.

    Differentiation: exact with the assignment held fixed, which is right if it is unique.

    Complexity: n^2 distances and one assignment.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, SymmetricPower
        >>> from geojax.transport import assignment
        >>> sets = SymmetricPower(Euclidean(), assignment)
        >>> float(sets.dist(jnp.array([[0.0], [5.0]]), jnp.array([[5.0], [1.0]])))
        1.0

    References: [Villani2003]; [Peyre2019].
    """

    assign: Callable[[Any], Any] = static()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.assign):
            raise TypeError(
                f"SymmetricPower: assign is a {type(self.assign).__name__}; expected a function of a cost matrix. "
                "Pass geojax.transport.assignment."
            )

    def _costs(self, x, y) -> Array:
        row: Any = self.manifold
        return jax.vmap(lambda a: jax.vmap(lambda b: row._squared_dist(a, b))(y))(x)

    def _order(self, x, y) -> Array:
        return self.assign(lax.stop_gradient(self._costs(x, y)))

    def _matched(self, x, y):
        """The rows of y in the order that is nearest to x."""
        order = self._order(x, y)
        return jax.tree.map(lambda leaf: leaf[order], y)

    def _log(self, x, y):
        return super()._log(x, self._matched(x, y))

    def _squared_dist(self, x, y):
        return super()._squared_dist(x, self._matched(x, y))

    def _parallel_transport(self, x, y, u):
        order = self._order(x, y)
        carried = super()._parallel_transport(x, jax.tree.map(lambda leaf: leaf[order], y), u)
        return jax.tree.map(lambda leaf: jnp.zeros_like(leaf).at[order].set(leaf), carried)

    def _geodesic(self, x, y, t):
        return super()._geodesic(x, self._matched(x, y), t)

    def _log_with_info(self, x, y):
        rows = super()._log_with_info(x, self._matched(x, y))
        unique = rows.unique & self._unique_order(self._costs(x, y))
        return LogResult(rows.tangent, unique, rows.error, rows.num_steps, rows.status)

    def _unique(self, x, y):
        return super()._unique(x, self._matched(x, y)) & self._unique_order(self._costs(x, y))

    def _unique_order(self, costs: Array) -> Array:
        """Whether every other assignment costs more: the cheapest one without each pair of the best, in turn."""
        order, rows = self.assign(costs), jnp.arange(len(costs))
        best = jnp.sum(costs[rows, order])
        forbidding = 1 + 2 * jnp.sum(jnp.abs(costs))

        def without(row: Array) -> Array:
            others = costs.at[row, order[row]].set(forbidding)
            return jnp.sum(others[rows, self.assign(others)])

        rounding = 8 * len(costs) * jnp.finfo(costs.dtype).eps * jnp.max(jnp.abs(costs), initial=0)
        return jnp.all(jax.vmap(without)(rows) > best + rounding)
