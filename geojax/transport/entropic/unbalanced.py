"""Entropic transport between measures of different mass, with penalties in place of fixed marginals."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.transport.costs import SquaredEuclidean, cost_matrix_of
from geojax.transport.entropic import dual
from geojax.transport.entropic.divergence import DivergenceResult, combined
from geojax.transport.entropic.penalised import (
    Penalised,
    penalised_scaling,
    penalised_solution,
    symmetric_scaling,
)
from geojax.transport.entropic.sinkhorn import SinkhornResult
from geojax.transport.measures import check_weights, matrix_problem, number, potential_of
from geojax.typing import Cost, Scalar


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


def unbalanced_sinkhorn_divergence(
    x: PyTree[Float[Array, "n ..."]],
    y: PyTree[Float[Array, "m ..."]],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    cost: Cost = SquaredEuclidean(),
    epsilon: Scalar,
    rho: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
) -> DivergenceResult:
    """Sinkhorn divergence between two weighted point clouds whose masses may differ.

    S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2 + epsilon (sum a - sum b)^2 / 2,  where OT is the optimal value of
    `unbalanced_sinkhorn` with the price rho on both sides. For costs such as |x - y|^p with 0 < p <= 2 it is
    nonnegative, and zero only between equal measures.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [m, ...].
        a: Weights of x, [n], nonnegative, of any sum. By default 1 / n each.
        b: Weights of y, [m], nonnegative, of any sum. By default 1 / m each.
        cost: cost(x_i, y_j) -> scalar, symmetric: `SquaredEuclidean()`, `Distance(space)` or a function.
        epsilon: Strength of the entropy, > 0, in units of cost.
        rho: Price of mass that is left over or missing, > 0, in units of cost; no mass moves where it costs more than
            2 rho, about. Infinite for fixed marginals, which is `sinkhorn_divergence`.
        tol: L1 error of the optimality conditions to reach in each of the three problems.
        max_steps: Most steps of each of the three problems; static.
        init: Potentials (f, g) to start from, such as those of a nearby problem; only g is used.

    Returns:
        DivergenceResult; `value` is the divergence, in units of cost times mass, NaN if a problem is INFEASIBLE or
        NONFINITE.

    Raises:
        ValueError: At trace time, if the sizes disagree, a measure is empty, or cost does not return a scalar.
        TypeError: At trace time, if cost is not a function of two points, or a number is not real.

    Status: as `unbalanced_sinkhorn`; the worst of the three.

    Differentiation: `value`: envelope in x, y, a, b, epsilon, rho and in what `cost` closes over. Where the cost of a
        point to itself has no derivative, as for a distance, it is taken as 0.

    Complexity: O((n + m)^2) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import unbalanced_sinkhorn_divergence
        >>> x = jnp.array([[0.0], [1.0]])
        >>> near, far = (
        ...     unbalanced_sinkhorn_divergence(x, x + t, epsilon=0.5, rho=1.0).value for t in (0.1, 50.0)
        ... )
        >>> round(float(near), 2), bool(far < 3)
        (0.01, True)

    References: [Sejourne2019].
    """
    where = "unbalanced_sinkhorn_divergence"
    check_weights(where, x, y, a, b)
    checks.count(where, "max_steps", max_steps)

    def problem(p: PyTree, q: PyTree, weights_p: Array | None, weights_q: Array | None) -> tuple[Array, ...]:
        costs = cost_matrix_of(where, "cost", cost, p, q)
        return matrix_problem("unbalanced_sinkhorn", costs, weights_p, weights_q, balanced=False)

    problems = problem(x, y, a, b), problem(x, x, a, a), problem(y, y, b, b)
    dtype = jnp.result_type(*(each[0] for each in problems))
    numbers = (("epsilon", epsilon), ("rho", rho), ("rho", rho), ("tol", tol))
    options = tuple(number(where, name, value, dtype) for name, value in numbers)
    start = None if init is None else potential_of(where, init, problems[0][0].shape, dtype)
    problems, options = vary_with((problems, options), problems, options, start)
    start = None if start is None else vary_with(start, problems)
    between, *within = (
        _solve(*each, *options, start if each is problems[0] else None, max_steps=max_steps, own=own)
        for each, own in zip(problems, (False, True, True))
    )
    result = combined(between, *within)
    excess = options[0] * jnp.square(jnp.sum(problems[0][1]) - jnp.sum(problems[0][2])) / 2
    return dataclasses.replace(result, value=result.value + excess)


@functools.partial(jax.jit, static_argnames=("max_steps", "own"))
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
    own: bool = False,
) -> SinkhornResult:
    """The whole computation, compiled once for each shape; `own` is the problem of a measure with itself."""
    priced = (rho_a > 0) & (rho_b > 0)
    inverse = tuple(1 / jnp.where(rho > 0, rho, 1) for rho in (rho_a, rho_b))
    problem = Penalised(cost_matrix, a, b, epsilon, *inverse)
    fixed = jax.lax.stop_gradient(problem)
    if own:
        end = symmetric_scaling(fixed, tol=tol, max_steps=max_steps)
    else:
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
