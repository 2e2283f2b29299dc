"""Entropic transport between measures of different mass, with penalties in place of fixed marginals."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import checks, implicit
from geojax._core.loops import iterate, vary_with
from geojax.transport.entropic import dual
from geojax.transport.entropic.sinkhorn import SinkhornResult
from geojax.transport.measures import matrix_problem, number, potential_of
from geojax.typing import Scalar

ROUND = 10  # iterations after which the kernel is computed anew
DENSE = 256  # columns up to which derivatives use a direct solve

Theta = tuple[Array, Array, Array, Array, Array, Array]  # cost_matrix, a, b, epsilon, rho_a, rho_b


def unbalanced_sinkhorn(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar,
    rho_a: Scalar,
    rho_b: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
) -> SinkhornResult:
    """Entropic optimal transport whose marginals may differ from the weights, at a price.

    Minimises  <P, C> + epsilon KL(P | a b^T) + rho_a KL(P 1 | a) + rho_b KL(P^T 1 | b)  over P >= 0, where
    KL(p | q) = sum p log(p / q) - p + q. The solution is P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon).

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative, of any sum. By default 1 / n each.
        b: Weights of the columns, [m], nonnegative, of any sum. By default 1 / m each.
        epsilon: Strength of the entropy, > 0, in units of cost.
        rho_a: Price of a row marginal other than a, > 0, in units of cost.
        rho_b: Price of a column marginal other than b, > 0, in units of cost.
        tol: L1 error of the optimality conditions to reach, in units of weight.
        max_steps: Most scalings of rows and columns, rounded up to a multiple of ten; static.
        init: Potentials (f, g) to start from; only g is used.

    Returns:
        SinkhornResult. `cost` is the minimum above, evaluated by duality. `error` is the L1 distance of the row
        marginal from its optimal value a exp(-f / rho_a) given f, plus the same for the columns.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, a measure has no mass, or epsilon, rho_a or rho_b
        is not positive; NONFINITE if the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope. `f`, `g`, `plan`: implicit. In cost_matrix, a, b, epsilon, rho_a and rho_b.

    Complexity: O(n m) memory and time per step; the number of steps grows with min(rho_a, rho_b) / epsilon.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import unbalanced_sinkhorn
        >>> C = jnp.array([[0.0, 9.0], [9.0, 0.0]])
        >>> r = unbalanced_sinkhorn(
        ...     C, jnp.array([1.0, 1.0]), jnp.array([1.0, 2.0]), epsilon=0.1, rho_a=1.0, rho_b=1.0
        ... )
        >>> [round(float(v), 2) for v in r.plan.sum(0)]
        [1.0, 1.44]

    References: [Chizat2018].
    """
    where = "unbalanced_sinkhorn"
    cost_matrix, a, b = matrix_problem(where, cost_matrix, a, b, balanced=False)
    dtype = cost_matrix.dtype
    epsilon, tol = number(where, "epsilon", epsilon, dtype), number(where, "tol", tol, dtype)
    rho_a, rho_b = number(where, "rho_a", rho_a, dtype), number(where, "rho_b", rho_b, dtype)
    max_steps = checks.count(where, "max_steps", max_steps)
    theta = (cost_matrix, a, b, epsilon, rho_a, rho_b)
    theta = vary_with(theta, theta, init)
    g = jnp.zeros_like(theta[0][0])
    if init is not None:
        g = vary_with(potential_of(where, init, cost_matrix.shape, dtype), theta)

    def solve(theta: Theta) -> tuple[Array, Any]:
        end = iterate(_round(theta), jax.lax.stop_gradient(g), tol=tol, max_steps=-(-max_steps // ROUND))
        return end.state, (end.error, end.num_steps * ROUND, end.status)

    linear_solve = implicit.dense if cost_matrix.shape[1] <= DENSE else implicit.krylov
    g, (error, num_steps, status) = implicit.fixed_point(solve, _updated, theta, linear_solve=linear_solve)
    f = _row_potential(g, theta)
    status = dual.judged(status, _is_feasible(theta), *jax.lax.stop_gradient(theta))
    costs, row, column, strength, _, _ = theta
    return SinkhornResult(f, g, _value((f, g), theta), costs, row, column, strength, error, num_steps, status)


def _is_feasible(theta: Theta) -> Bool[Array, ""]:
    """Whether the weights are nonnegative with positive sums, and the strengths positive."""
    _, a, b, epsilon, rho_a, rho_b = theta
    nonnegative = jnp.all(a >= 0) & jnp.all(b >= 0) & (jnp.sum(a) > 0) & (jnp.sum(b) > 0)
    return nonnegative & (epsilon > 0) & (rho_a > 0) & (rho_b > 0)


def _row_potential(g: Array, theta: Theta) -> Array:
    """The best f for g: the soft minimum of C - g over columns with weights b, times rho_a / (rho_a + epsilon)."""
    cost_matrix, _, b, epsilon, rho_a, _ = theta
    return dual.softmin(cost_matrix - g, b, epsilon) * (rho_a / (rho_a + epsilon))


def _column_potential(f: Array, theta: Theta) -> Array:
    """The best g for f."""
    cost_matrix, a, _, epsilon, _, rho_b = theta
    return dual.softmin(cost_matrix.T - f, a, epsilon) * (rho_b / (rho_b + epsilon))


def _updated(g: Array, theta: Theta) -> Array:
    """One update of g; the solution is its fixed point."""
    return _column_potential(_row_potential(g, theta), theta)


def _round(theta: Theta) -> Callable[[Array], tuple[Array, Array]]:
    """Ten iterations on g with one kernel, and the error of the optimality conditions before the last of them."""
    cost_matrix, a, b, epsilon, rho_a, rho_b = theta
    info = jnp.finfo(cost_matrix.dtype)

    def step(g: Array) -> tuple[Array, Array]:
        f = _row_potential(g, theta)
        kernel = dual.kernel(f, g, cost_matrix, epsilon)

        def scaled(total: Array, potential: Array, rho: Array) -> Array:
            """Log of the factor that makes the marginal its optimal value, weight * exp(-potential / rho)."""
            total = jnp.clip(total, info.tiny**0.5, info.max**0.5)
            return -(jnp.log(total) + potential / rho) * (rho / (rho + epsilon))

        def scale(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
            _, log_v = carry
            log_u = scaled(kernel @ (b * jnp.exp(log_v)), f, rho_a)
            return log_u, scaled((a * jnp.exp(log_u)) @ kernel, g, rho_b)

        log_u, log_v = jax.lax.fori_loop(0, ROUND, scale, (jnp.zeros_like(f), jnp.zeros_like(g)))
        f, g = f + epsilon * log_u, g + epsilon * log_v
        rows = jnp.exp(log_u) * (kernel @ (b * jnp.exp(log_v)))
        columns = jnp.exp(log_v) * ((a * jnp.exp(log_u)) @ kernel)
        off = jnp.sum(a * jnp.abs(rows - jnp.exp(-f / rho_a))) + jnp.sum(
            b * jnp.abs(columns - jnp.exp(-g / rho_b))
        )
        return g, off

    return step


def _dual_value(optimum: tuple[Array, Array], theta: Theta) -> Array:
    """The dual objective at potentials (f, g)."""
    (f, g), (cost_matrix, a, b, epsilon, rho_a, rho_b) = optimum, theta
    mass = jnp.sum(dual.plan(f, g, cost_matrix, a, b, epsilon))
    penalties = rho_a * jnp.sum(a * -jnp.expm1(-f / rho_a)) + rho_b * jnp.sum(b * -jnp.expm1(-g / rho_b))
    return penalties - epsilon * (mass - jnp.sum(a) * jnp.sum(b))


_value = dual.envelope(_dual_value)
