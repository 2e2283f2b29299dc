"""Entropic transport between measures of different mass, with penalties in place of fixed marginals."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.transport.entropic import dual
from geojax.transport.entropic.penalised import (
    Penalised,
    penalised_scaling,
    penalised_solution,
)
from geojax.transport.entropic.sinkhorn import SinkhornResult
from geojax.transport.measures import matrix_problem, number, potential_of
from geojax.typing import Scalar


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
    KL(p | q) = sum p log(p / q) - p + q. The solution is P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon). The
    constants in f and g, which plain iterations find at the rate 1 - epsilon / rho, are set to their best values in
    closed form.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative, of any sum. By default 1 / n each.
        b: Weights of the columns, [m], nonnegative, of any sum. By default 1 / m each.
        epsilon: Strength of the entropy, > 0, in units of cost.
        rho_a: Price of a row marginal other than a, > 0, in units of cost; infinite if it must be a.
        rho_b: Price of a column marginal other than b, > 0, in units of cost; infinite if it must be b.
        tol: L1 error of the optimality conditions to reach, in units of weight.
        max_steps: Most scalings of rows and columns; static.
        init: Potentials (f, g) to start from; only g is used.

    Returns:
        SinkhornResult. `cost` is the minimum above, evaluated by duality. `error` is the L1 distance of the row
        marginal from its optimal value a exp(-f / rho_a) given f, plus the same for the columns.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, a measure has no mass, epsilon, rho_a or rho_b is
        not positive, or both prices are infinite and the masses differ; NONFINITE if the data hold a NaN or an
        infinity.

    Differentiation: `cost`: envelope. `f`, `g`, `plan`: implicit. In cost_matrix, a, b, epsilon, rho_a and rho_b.

    Complexity: O(n m) memory and time per step; the number of steps grows like max(C) / epsilon, but not with
        the prices.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import unbalanced_sinkhorn
        >>> C = jnp.array([[0.0, 9.0], [9.0, 0.0]])
        >>> r = unbalanced_sinkhorn(
        ...     C, jnp.array([1.0, 1.0]), jnp.array([1.0, 2.0]), epsilon=0.1, rho_a=1.0, rho_b=1.0
        ... )
        >>> [round(float(v), 2) for v in r.plan.sum(0)]
        [1.0, 1.44]

    References: [Chizat2018]; [Sejourne2022] for the constants.
    """
    where = "unbalanced_sinkhorn"
    cost_matrix, a, b = matrix_problem(where, cost_matrix, a, b, balanced=False)
    dtype = cost_matrix.dtype
    numbers = (("epsilon", epsilon), ("rho_a", rho_a), ("rho_b", rho_b), ("tol", tol))
    data = cost_matrix, a, b, *(number(where, name, value, dtype) for name, value in numbers)
    start = None if init is None else potential_of(where, init, cost_matrix.shape, dtype)
    data = vary_with(data, data, start)
    start = None if start is None else vary_with(start, data)
    return _solve(*data, start, max_steps=checks.count(where, "max_steps", max_steps))


@functools.partial(jax.jit, static_argnames="max_steps")
def _solve(
    cost_matrix: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    rho_a: Array,
    rho_b: Array,
    tol: Array,
    g: Array | None,
    *,
    max_steps: int,
) -> SinkhornResult:
    """The whole computation, compiled once for each shape, so that eager calls are fast too."""
    priced = (rho_a > 0) & (rho_b > 0)
    inverse = tuple(1 / jnp.where(rho > 0, rho, 1) for rho in (rho_a, rho_b))
    problem = Penalised(cost_matrix, a, b, epsilon, *inverse)
    fixed = jax.lax.stop_gradient(problem)
    end = penalised_scaling(fixed, jax.lax.stop_gradient(g), tol=tol, max_steps=max_steps)
    f, g = penalised_solution(*jax.lax.stop_gradient(end.state), problem)
    balanced = (inverse[0] == 0) & (inverse[1] == 0)
    centred = dual.centred(f, g, a)
    f, g = (jnp.where(balanced, hard, soft) for hard, soft in zip(centred, (f, g)))
    nonnegative = jnp.all(a >= 0) & jnp.all(b >= 0) & (jnp.sum(a) > 0) & (jnp.sum(b) > 0) & (epsilon > 0)
    feasible = nonnegative & priced & (~balanced | dual.feasible(a, b, epsilon, tol))
    prices = (jnp.where(rho == jnp.inf, 1, rho) for rho in (rho_a, rho_b))
    status = dual.judged(end.status, feasible, *jax.lax.stop_gradient((cost_matrix, a, b, epsilon, *prices)))
    value = _value((f, g), problem)
    return SinkhornResult(f, g, value, cost_matrix, a, b, epsilon, end.error, end.num_steps, status)


def _dual_value(optimum: tuple[Array, Array], problem: Penalised) -> Float[Array, ""]:
    """The dual objective at potentials (f, g)."""
    (f, g), (cost_matrix, a, b, epsilon, inverse_a, inverse_b) = optimum, problem
    mass = jnp.sum(dual.plan(f, g, cost_matrix, a, b, epsilon))
    kept = jnp.sum(a * _kept(f, inverse_a)) + jnp.sum(b * _kept(g, inverse_b))
    return kept - epsilon * (mass - jnp.sum(a) * jnp.sum(b))


def _kept(potential: Array, inverse: Array) -> Array:
    """The value of rho (1 - exp(-potential / rho)), which is the potential itself where the price rho is infinite."""
    soft = inverse > 0
    rate = jnp.where(soft, inverse, 1)
    return jnp.where(soft, -jnp.expm1(-rate * potential) / rate, potential)


_value = dual.envelope(_dual_value)
