"""Partial transport: a given share of the mass, at the least cost."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax.transport.entropic import dual
from geojax.transport.entropic.sinkhorn import SinkhornResult, problem
from geojax.typing import Scalar


class _Prices(NamedTuple):
    """Multipliers: f, g <= 0 of the two bounds, and that of the mass."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    level: Float[Array, ""]


def partial_transport(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    *,
    mass: Scalar,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> SinkhornResult:
    """Entropic transport of a given mass, out of the most that two measures offer.

    Minimises  <P, C> + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over P >= 0 with P 1 <= a, P^T 1 <= b and
    sum(P) = mass. The solution is P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon) with f = level + min(.., 0) and
    g <= 0; the three sets of constraints are met in turn.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Most that each row may send, [n], nonnegative.
        b: Most that each column may receive, [m], nonnegative; its sum need not be that of a.
        mass: What is to be moved, > 0, at most sum(a) and sum(b).
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: Error to reach: mass that the last round of the three sets moved, L1.
        max_steps: Most rounds; static.

    Returns:
        SinkhornResult; its potentials are in the gauge above, its `cost` is the minimum, its `plan` the partial one.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE where a weight is negative, mass is not positive or more than a measure
        holds, or epsilon is not positive; NONFINITE where the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope, to first order, in cost_matrix, a, b, mass and epsilon. Others: none.

    Complexity: O(n m) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import partial_transport
        >>> C = jnp.array([[0.0, 5.0], [5.0, 1.0]])
        >>> r = partial_transport(C, jnp.array([0.5, 0.5]), jnp.array([0.5, 0.5]), mass=0.6, epsilon=0.05)
        >>> [[round(float(v), 2) for v in row] for row in r.plan]
        [[0.5, 0.0], [0.0, 0.1]]

    References: [Benamou2015], Sec. 5; [Chizat2018].
    """
    where = "partial_transport"
    cost_matrix, a, b = problem(where, cost_matrix, a, b)
    checks.count(where, "max_steps", max_steps)
    mass, strength, limit = (jnp.asarray(x, cost_matrix.dtype) for x in (mass, epsilon, tol))
    data = (cost_matrix, a, b, mass, strength)
    data = cost_matrix, a, b, mass, strength = vary_with(data, data, limit)
    fixed = jax.lax.stop_gradient(data)
    start = _Prices(jnp.zeros_like(a), jnp.zeros_like(b), jnp.min(fixed[0]))
    found = iterate(_round(*fixed), start, tol=limit, max_steps=max_steps)
    f, g = found.state.f, found.state.g
    level = found.state.level
    # With the prices held, the derivatives of the dual are those of the minimum.
    moved = jnp.sum(dual.plan(f + level, g, cost_matrix, a, b, strength))
    value = f @ a + g @ b + level * mass - strength * (moved - mass)
    _, a_, b_, mass_, strength_ = fixed
    rounding = 1 + 4 * (a.size + b.size) * jnp.finfo(a.dtype).eps
    enough = mass_ <= rounding * jnp.minimum(jnp.sum(a_), jnp.sum(b_))
    feasible = jnp.all(a_ >= 0) & jnp.all(b_ >= 0) & (mass_ > 0) & enough & (strength_ > 0)
    status = dual.judged(found.status, feasible, *fixed)
    return SinkhornResult(
        f + level, g, value, cost_matrix, a, b, strength, found.error, found.num_steps, status
    )


def _round(cost_matrix: Array, a: Array, b: Array, mass: Array, epsilon: Array):
    """Meet the bounds of the rows, those of the columns, and the mass; the error is what that moved."""
    log_a, log_b = (jnp.where(w > 0, jnp.log(jnp.where(w > 0, w, 1)), -jnp.inf) for w in (a, b))
    cap = 0.5 * jnp.log(jnp.finfo(a.dtype).max)

    def held(price: Array, sums: Array, weights: Array) -> tuple[Array, Array, Array]:
        """The best price, the marginal that it gives, and the mass that it moves."""
        best = jnp.minimum(0, -epsilon * sums)
        before, after = (weights * jnp.exp(jnp.minimum(p / epsilon + sums, cap)) for p in (price, best))
        return best, after, jnp.sum(jnp.abs(after - before))

    def step(now: _Prices) -> tuple[_Prices, Array]:
        rows = logsumexp((now.g + now.level - cost_matrix) / epsilon + log_b, axis=1)
        f, _, moved_rows = held(now.f, rows, a)
        columns = logsumexp((f[:, None] + now.level - cost_matrix) / epsilon + log_a[:, None], axis=0)
        g, received, moved_columns = held(now.g, columns, b)
        total = jnp.sum(received)
        level = now.level + epsilon * (jnp.log(mass) - jnp.log(total))
        return _Prices(f, g, level), moved_rows + moved_columns + jnp.abs(total - mass)

    return step
