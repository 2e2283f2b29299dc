"""Partial transport: a given share of the mass, at the least cost."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax.transport.entropic import dual
from geojax.transport.entropic.sinkhorn import SinkhornResult
from geojax.transport.measures import matrix_problem, number
from geojax.typing import Scalar


class _Multipliers(NamedTuple):
    """Multipliers: f, g <= 0 of the bounds on rows and columns, and `level` of the mass."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    level: Float[Array, ""]


def partial_transport(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    mass: Scalar,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> SinkhornResult:
    """Entropic transport of a given amount of mass; the rest of both measures stays where it is.

    Minimises  <P, C> + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over P >= 0 with P 1 <= a, P^T 1 <= b and
    sum(P) = mass. The solution is P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon) with g <= 0 and f <= level, a
    number; a round projects on the three sets of constraints in turn.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Most that each row may send, [n], nonnegative. By default 1 / n each.
        b: Most that each column may receive, [m], nonnegative; its sum may differ from that of a. By default 1 / m
            each.
        mass: Mass to move, > 0, at most sum(a) and sum(b).
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: Error to reach: L1 change of the marginals and of the mass in the last round.
        max_steps: Most rounds; static.

    Returns:
        SinkhornResult: the potentials f and g above, `cost`, the minimum, and `plan`, of the given mass.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, mass is not positive or exceeds the sum of a
        measure, or epsilon is not positive; NONFINITE if the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope, to first order, in cost_matrix, a, b, mass and epsilon. Others: none.

    Complexity: O(n m) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import partial_transport
        >>> C = jnp.array([[0.0, 5.0], [5.0, 1.0]])
        >>> r = partial_transport(C, mass=0.6, epsilon=0.05)
        >>> [[round(float(v), 2) for v in row] for row in r.plan]
        [[0.5, 0.0], [0.0, 0.1]]

    References: [Benamou2015], Sec. 5; [Chizat2018].
    """
    where = "partial_transport"
    cost_matrix, a, b = matrix_problem(where, cost_matrix, a, b, balanced=False)
    checks.count(where, "max_steps", max_steps)
    mass, strength, limit = (
        number(where, name, value, cost_matrix.dtype)
        for name, value in (("mass", mass), ("epsilon", epsilon), ("tol", tol))
    )
    data = (cost_matrix, a, b, mass, strength)
    data = cost_matrix, row, column, mass, strength = vary_with(data, data, limit)
    fixed = jax.lax.stop_gradient(data)
    start = _Multipliers(jnp.zeros_like(row), jnp.zeros_like(column), jnp.min(fixed[0]))
    end = iterate(_round(*fixed), start, tol=limit, max_steps=max_steps)
    f, g = end.state.f, end.state.g
    level = end.state.level
    # With the multipliers held fixed, the derivatives of the dual are those of the minimum.
    moved = jnp.sum(dual.plan(f + level, g, cost_matrix, row, column, strength))
    value = f @ row + g @ column + level * mass - strength * (moved - mass)
    _, a_, b_, mass_, strength_ = fixed
    rounding = 1 + 4 * (row.size + column.size) * jnp.finfo(row.dtype).eps
    enough = mass_ <= rounding * jnp.minimum(jnp.sum(a_), jnp.sum(b_))
    feasible = jnp.all(a_ >= 0) & jnp.all(b_ >= 0) & (mass_ > 0) & enough & (strength_ > 0)
    status = dual.judged(end.status, feasible, *fixed)
    return SinkhornResult(
        f + level, g, value, cost_matrix, row, column, strength, end.error, end.num_steps, status
    )


def _round(cost_matrix: Array, a: Array, b: Array, mass: Array, epsilon: Array):
    """One round: the rows, the columns and the mass are brought within their bounds; the error is the change."""
    log_a, log_b = (jnp.where(w > 0, jnp.log(jnp.where(w > 0, w, 1)), -jnp.inf) for w in (a, b))
    cap = 0.5 * jnp.log(jnp.finfo(a.dtype).max)

    def bounded(price: Array, sums: Array, weights: Array) -> tuple[Array, Array, Array]:
        """The best multiplier, the marginal that it gives, and the L1 change of the marginal."""
        best = jnp.minimum(0, -epsilon * sums)
        before, after = (weights * jnp.exp(jnp.minimum(p / epsilon + sums, cap)) for p in (price, best))
        return best, after, jnp.sum(jnp.abs(after - before))

    def step(now: _Multipliers) -> tuple[_Multipliers, Array]:
        rows = logsumexp((now.g + now.level - cost_matrix) / epsilon + log_b, axis=1)
        f, _, moved_rows = bounded(now.f, rows, a)
        columns = logsumexp((f[:, None] + now.level - cost_matrix) / epsilon + log_a[:, None], axis=0)
        g, received, moved_columns = bounded(now.g, columns, b)
        total = jnp.sum(received)
        level = now.level + epsilon * (jnp.log(mass) - jnp.log(total))
        return _Multipliers(f, g, level), moved_rows + moved_columns + jnp.abs(total - mass)

    return step
