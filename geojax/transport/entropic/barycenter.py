"""Barycentres of measures on a common support, by iterative Bregman projections."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, implicit
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.transport.entropic import dual
from geojax.transport.measures import arrays, coarsest_ulp, number, sums_to_one, uniform
from geojax.typing import Scalar

ROUND = 10  # projections after which the kernels are computed anew
DENSE = 256  # potentials up to which derivatives use a direct solve


@struct
class BarycenterResult:
    """The barycentre `a` [n] of k measures, with the potentials of its couplings to them.

    `f` [k, n] and `g` [k, m] are in units of cost; coupling k is b_kj exp((f_ki + g_kj - C_ij) / epsilon). `cost` is
    the optimal value; `error` the weighted L1 distance of the couplings' row sums from `a`.
    """

    a: Float[Array, " n"]
    f: Float[Array, "k n"]
    g: Float[Array, "k m"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class _Data(NamedTuple):
    cost_matrix: Float[Array, "n m"]
    b: Float[Array, "k m"]
    weights: Float[Array, " k"]
    epsilon: Float[Array, ""]


def barycenter(
    cost_matrix: Float[Array, "n m"],
    b: Float[Array, "k m"],
    weights: Float[Array, " k"] | None = None,
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> BarycenterResult:
    """Entropic barycentre of measures, as weights on a fixed support.

    Minimises  sum_k w_k (<P_k, C> + epsilon sum_ij P_kij log(P_kij / b_kj))  over weights a on n points and couplings
    P_k of a and b_k. The entropy is that of the plan, not relative to a, so the barycentre is smoothed, as in iterative
    Bregman projections: a is the weighted geometric mean of the row sums that the potentials g_k give.

    Args:
        cost_matrix: Costs between the n points of the barycentre and the m points of the measures, [n, m], finite.
        b: Weights of the points of each measure, [k, m], nonnegative, each row of sum 1; zeros are allowed.
        weights: Weights of the measures in the mean, [k], nonnegative, of sum 1. By default 1 / k each.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: Error to reach: L1 distance of the couplings' row sums from the barycentre, averaged with the weights.
        max_steps: Most projections, rounded up to a multiple of ten; static.

    Returns:
        BarycenterResult; the barycentre is `a`, [n].

    Raises:
        ValueError: At trace time, if the shapes disagree, or there is no measure or no point.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, a sum differs from 1 by more than tol, or
        epsilon is not positive; NONFINITE if the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope, to first order. `a`, `f`, `g`: implicit. In cost_matrix, b, weights and epsilon.
        b and weights may change only so that their sums stay fixed; the gradient is defined for such changes.

    Complexity: O(k n m) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import barycenter
        >>> x = jnp.linspace(0.0, 1.0, 21)
        >>> ends = jnp.eye(21)[jnp.array([0, 20])]
        >>> r = barycenter((x[:, None] - x) ** 2, ends, epsilon=0.02)
        >>> round(float(x[r.a.argmax()]), 2)
        0.5

    References: [Benamou2015]; [Agueh2011].
    """
    where = "barycenter"
    checks.no_explicit_axes(where, cost_matrix, b, weights)
    given = (b, weights)
    if weights is None:
        cost_matrix, b = arrays(where, cost_matrix=cost_matrix, b=b)
        weights = uniform(len(b) if b.ndim else 0, b.dtype)
    cost_matrix, b, weights = arrays(where, cost_matrix=cost_matrix, b=b, weights=weights)
    size = checks.shapes(where, cost_matrix=(cost_matrix, "n m"), b=(b, "k m"), weights=(weights, "k"))
    if 0 in size.values():
        raise ValueError(
            f"{where}: cost_matrix has shape {list(cost_matrix.shape)} and b {list(b.shape)}; expected at least one "
            "point and one measure. Leave empty problems out."
        )
    max_steps = checks.count(where, "max_steps", max_steps)
    dtype = cost_matrix.dtype
    limit = number(where, "tol", tol, dtype)
    data = _Data(cost_matrix, b, weights, number(where, "epsilon", epsilon, dtype))
    data = _Data(*vary_with(tuple(data), tuple(data), limit))

    def solve(data: _Data) -> tuple[Array, Any]:
        start = jnp.zeros_like(data.b)
        end = iterate(_round(data), start, tol=limit, max_steps=-(-max_steps // ROUND))
        return end.state, (end.error, end.num_steps * ROUND, end.status)

    linear_solve = implicit.dense if b.size <= DENSE else implicit.krylov
    g, (error, num_steps, status) = implicit.fixed_point(solve, _updated, data, linear_solve=linear_solve)
    log_a, f = _mean(g, data)
    fixed = jax.lax.stop_gradient((log_a, f, g))
    slack = jnp.maximum(limit, 8 * b.size * coarsest_ulp(dtype, *given))
    feasible = sums_to_one(data.b, slack) & sums_to_one(data.weights, slack) & (data.epsilon > 0)
    return BarycenterResult(
        jnp.exp(log_a),
        f,
        g,
        _value(*fixed, data),
        error,
        num_steps,
        dual.judged(status, feasible, *jax.lax.stop_gradient(data)),
    )


def _row_sums(g: Array, data: _Data) -> Float[Array, "k n"]:
    """Logarithms of sum_j b_kj exp((g_kj - C_ij) / epsilon)."""
    soft = jax.vmap(lambda g, b: dual.softmin(data.cost_matrix - g, b, data.epsilon))
    return -soft(g, data.b) / data.epsilon


def _mean(g: Array, data: _Data) -> tuple[Float[Array, " n"], Float[Array, "k n"]]:
    """Log of the geometric mean of the row sums, and the f_k with which every coupling has it as its row sums."""
    rows = _row_sums(g, data)
    log_a = jax.nn.log_softmax(data.weights @ rows)
    return log_a, data.epsilon * (log_a - rows)


def _centred(g: Array, b: Array) -> Array:
    """Choose the constant that may be added to g_k and taken from f_k so that <g_k, b_k> = 0."""
    return g - jnp.sum(g * b, axis=1, keepdims=True) / jnp.sum(b, axis=1, keepdims=True)


def _updated(g: Array, data: _Data) -> Array:
    """One update of g: projections on the common row sums and on the columns; the solution is its fixed point."""
    _, f = _mean(g, data)
    ones = jnp.ones_like(data.cost_matrix[:, 0])
    columns = jax.vmap(lambda f: dual.softmin(data.cost_matrix.T - f, ones, data.epsilon))
    return _centred(columns(f), data.b)


def _round(data: _Data):
    """Ten projections with one kernel for each measure, and the error before the last of them."""
    cost_matrix, b, weights, epsilon = data
    smallest = jnp.finfo(b.dtype).tiny ** 0.5

    def step(g: Array) -> tuple[Array, Array]:
        log_a, f = _mean(g, data)
        kernel = jax.vmap(lambda f, g: dual.kernel(f, g, cost_matrix, epsilon))(f, g)

        def project(_: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
            log_a, log_u, log_v, _ = carry
            rows = jnp.log(jnp.maximum(jnp.einsum("knm,km->kn", kernel, b * jnp.exp(log_v)), smallest))
            rate = jnp.sum(jnp.abs(jnp.exp(log_u + rows) - jnp.exp(log_a)), axis=1)
            error = weights @ rate
            log_a = jax.nn.log_softmax(weights @ (rows - f / epsilon))
            log_u = log_a - rows
            columns = jnp.einsum("kn,knm->km", jnp.exp(log_u), kernel)
            return log_a, log_u, -jnp.log(jnp.clip(columns, smallest, 1 / smallest)), error

        start = (log_a, jnp.zeros_like(f), jnp.zeros_like(g), jnp.zeros_like(epsilon))
        *_, log_v, error = jax.lax.fori_loop(0, ROUND, project, start)
        return _centred(g + epsilon * log_v, b), error

    return step


def _value(log_a: Array, f: Array, g: Array, data: _Data) -> Array:
    """The dual value; with the optimum held fixed, its derivatives are those of the minimum."""
    cost_matrix, b, weights, epsilon = data
    kernels = jax.vmap(lambda f, g: dual.kernel(f, g, cost_matrix, epsilon))(f, g)
    mass = jnp.sum(b * jnp.sum(kernels, axis=1), axis=1)
    return weights @ (f @ jnp.exp(log_a) + jnp.sum(g * b, axis=1) - epsilon * (mass - 1))
