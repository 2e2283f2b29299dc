"""Sinkhorn's iteration with penalised marginals, with the constants in both potentials set to their best values.

With K_ij = exp((f_i + g_j - C_ij) / epsilon), the row and column penalties ask for

    (K b)_i = exp(-f_i / rho_a),   (K^T a)_j = exp(-g_j / rho_b).

A price enters by its inverse, so it may be infinite, and the marginal is then met.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core.loops import Iteration, iterate
from geojax.transport.entropic import dual
from geojax.transport.entropic.scaling import ROUND, Relaxation, adapted, allowed

PATIENCE = 8  # averaged iterations without a better error, within what rounding allows, after which they stop


class Penalised(NamedTuple):
    """The data of a problem; `inverse_a` and `inverse_b` are the inverse prices."""

    cost_matrix: Float[Array, "n m"]
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    epsilon: Float[Array, ""]
    inverse_a: Float[Array, ""]
    inverse_b: Float[Array, ""]


class _Potentials(NamedTuple):
    """The potentials after a round, and the state of the iteration."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    column_error: Float[Array, ""]
    error: Float[Array, ""]
    relaxation: Relaxation
    num_steps: Int[Array, ""]


class _Symmetric(NamedTuple):
    """The one potential of a measure with itself, and the state of the iteration."""

    f: Float[Array, " n"]
    error: Float[Array, ""]
    best: Float[Array, ""]  # smallest error so far
    idle: Int[Array, ""]  # iterations since then, within what rounding allows
    num_steps: Int[Array, ""]


class _Factors(NamedTuple):
    """Logarithms of the factors of one round, with those of the sums of the columns, and the state of the iteration."""

    log_u: Float[Array, " n"]
    log_v: Float[Array, " m"]
    log_columns: Float[Array, " m"]
    state: _Potentials


def row_potential(g: Array, problem: Penalised) -> Float[Array, " n"]:
    """The best f for g: the soft minimum of C - g over columns with weights b, times rho_a / (rho_a + epsilon)."""
    costs = problem.cost_matrix - g
    return dual.softmin(costs, problem.b, problem.epsilon) / (1 + problem.epsilon * problem.inverse_a)


def penalised_scaling(
    problem: Penalised, g: Float[Array, " m"] | None, *, tol: Float[Array, ""], max_steps: int
) -> Iteration:
    """Run over-relaxed iterations from the potential g (0 by default) to an error of tol, as `scaling` does.

    Up to constants, the potentials converge as those of a balanced problem, faster as prices fall; the constants follow
    at a rate of 1 - epsilon / rho only. Thus after each round both constants are given their best values
    [Sejourne2022]. The error is the L1 distance of both marginals from exp(-f / rho_a) a and exp(-g / rho_b) b.
    """
    cost_matrix, a, b, epsilon, inverse_a, inverse_b = problem
    info = jnp.finfo(cost_matrix.dtype)
    mass = jnp.maximum(jnp.sum(a), jnp.sum(b))
    largest = 0.25 * jnp.abs(jnp.log(info.tiny))

    def run_round(state: _Potentials) -> _Potentials:
        kernel = dual.kernel(state.f, state.g, cost_matrix, epsilon)

        def moved(log_factor: Array, potential: Array, log_sum: Array, inverse: Array, omega: Array) -> Array:
            plain = -(log_sum + inverse * potential) / (1 + epsilon * inverse)
            return log_factor + omega * (plain - log_factor)

        def off(
            weights: Array, log_factor: Array, potential: Array, log_sum: Array, inverse: Array
        ) -> Float[Array, ""]:
            got, wanted = log_factor + log_sum, -inverse * (potential + epsilon * log_factor)
            return jnp.sum(weights * jnp.abs(_exp(got) - _exp(wanted)))

        def scale(now: _Factors) -> _Factors:
            log_u, log_v, _, (f, g, column_error, _, relaxation, num_steps) = now
            log_rows = _log(kernel @ (b * jnp.exp(log_v)))
            error = off(a, log_u, f, log_rows, inverse_a) + column_error
            relaxation = adapted(relaxation, error, mass, num_steps, limit)
            last = (error <= tol) | (num_steps + 1 == max_steps) | relaxation.stalled
            omega = jnp.where(last, 1, relaxation.omega)
            log_u = moved(log_u, f, log_rows, inverse_a, omega)
            log_columns = _log((a * jnp.exp(log_u)) @ kernel)
            log_v = moved(log_v, g, log_columns, inverse_b, omega)
            column_error = off(b, log_v, g, log_columns, inverse_b)
            following = _Potentials(f, g, column_error, error, relaxation, num_steps + 1)
            return _Factors(log_u, log_v, log_columns, following)

        def round_goes_on(now: _Factors) -> Bool[Array, ""]:
            high = jnp.maximum(jnp.max(jnp.abs(now.log_u)), jnp.max(jnp.abs(now.log_v)))
            within = now.state.num_steps < jnp.minimum(max_steps, state.num_steps + ROUND)
            return within & (now.state.error > tol) & ~now.state.relaxation.stalled & (high < largest)

        first = state._replace(error=jnp.full_like(epsilon, jnp.inf))
        start = _Factors(jnp.zeros_like(a), jnp.zeros_like(b), jnp.zeros_like(b), first)
        log_u, log_v, log_columns, end = jax.lax.while_loop(round_goes_on, scale, start)
        f, g = state.f + epsilon * log_u, state.g + epsilon * log_v
        log_sums = log_v + log_columns
        s, t = _constants(f, g, problem, jnp.sum(b * _exp(log_sums)))
        f, g = f + s, g + t
        got, wanted = _exp(log_sums + (s + t) / epsilon), _exp(-inverse_b * g)
        return end._replace(f=f, g=g, column_error=jnp.sum(b * jnp.abs(got - wanted)))

    def rounds_go_on(state: _Potentials) -> Bool[Array, ""]:
        return (state.num_steps < max_steps) & (state.error > tol) & ~state.relaxation.stalled

    def run(state: _Potentials) -> tuple[_Potentials, Float[Array, ""]]:
        end = jax.lax.while_loop(rounds_go_on, run_round, state)
        # The error of what is returned, with the rounding of the potentials themselves.
        f = row_potential(end.g, problem)
        kernel = dual.kernel(f, end.g, cost_matrix, epsilon)
        error = jnp.sum(a * jnp.abs(kernel @ b - _exp(-inverse_a * f)))
        error = error + jnp.sum(b * jnp.abs(a @ kernel - _exp(-inverse_b * end.g)))
        return end._replace(f=f), error

    g = 0 * cost_matrix[0] if g is None else g
    f = row_potential(g, problem)
    # The rows have their masses, <a, exp(-f / rho_a)> in all.
    s, t = _constants(f, g, problem, jnp.exp(_log_mass(f, a, inverse_a)))
    f, g = f + s, g + t
    limit = allowed(f, g, epsilon, mass, tol)
    columns = a @ dual.kernel(f, g, cost_matrix, epsilon)
    start = _Potentials(
        f,
        g,
        column_error=jnp.sum(b * jnp.abs(columns - _exp(-inverse_b * g))),
        error=jnp.full_like(epsilon, jnp.inf),
        relaxation=Relaxation.start(epsilon),
        num_steps=jnp.zeros_like(epsilon, dtype=jnp.int32),
    )
    result = iterate(run, start, tol=limit, max_steps=min(max_steps, 1))
    end = result.state
    return Iteration((end.f, end.g), result.error, end.num_steps, result.status)


def symmetric_scaling(problem: Penalised, *, tol: Float[Array, ""], max_steps: int) -> Iteration:
    """The problem of a measure with itself, a = b, C = C^T and equal prices: averaged iterations of its one potential.

    Where the kernel is positive definite each iteration halves the error at least, at every epsilon [Feydy2019]. The
    state is (f, f).
    """
    cost_matrix, a, _, epsilon, inverse, _ = problem
    soft = 1 + epsilon * inverse

    def step(now: _Symmetric) -> _Symmetric:
        f, best = now.f, now.best
        following = dual.softmin(cost_matrix - f, a, epsilon) / soft
        log_sums = (f - soft * following) / epsilon
        error = 2 * jnp.sum(a * jnp.abs(_exp(log_sums) - _exp(-inverse * f)))
        idle = jnp.where((error < 0.9 * best) | (error > limit), 0, now.idle + 1)
        return _Symmetric((f + following) / 2, error, jnp.minimum(error, best), idle, now.num_steps + 1)

    def goes_on(now: _Symmetric) -> Bool[Array, ""]:
        return (now.error > tol) & (now.idle < PATIENCE) & (now.num_steps < max_steps)

    def run(start: _Symmetric) -> tuple[_Symmetric, Float[Array, ""]]:
        end = jax.lax.while_loop(goes_on, step, start)
        # If the costs are not symmetric, the columns say so.
        kernel, wanted = dual.kernel(end.f, end.f, cost_matrix, epsilon), _exp(-inverse * end.f)
        error = jnp.sum(a * (jnp.abs(kernel @ a - wanted) + jnp.abs(a @ kernel - wanted)))
        return end, error

    f = dual.softmin(cost_matrix, a, epsilon) / (2 * soft)
    limit = allowed(f, f, epsilon, jnp.sum(a), tol)
    infinite, zero = jnp.full_like(epsilon, jnp.inf), jnp.zeros_like(epsilon, dtype=jnp.int32)
    result = iterate(
        run, _Symmetric(f, infinite, infinite, zero, zero), tol=limit, max_steps=min(max_steps, 1)
    )
    f = result.state.f
    return Iteration((f, f), result.error, result.state.num_steps, result.status)


def _log(sums: Array) -> Array:
    info = jnp.finfo(sums.dtype)
    return jnp.log(jnp.clip(sums, info.tiny**0.5, info.max**0.5))


def _exp(exponent: Array) -> Array:
    """The exponential, bounded, since rows and columns of weight zero may have any."""
    return jnp.exp(jnp.minimum(exponent, 0.5 * jnp.log(jnp.finfo(exponent.dtype).max)))


def _constants(f: Array, g: Array, problem: Penalised, mass: Array) -> tuple[Array, Array]:
    """The s and t for which f + s and g + t are best, for a plan of this mass.

    At the best constants the masses <a, exp(-f / rho_a)>, <b, exp(-g / rho_b)> and that of the plan are one, which is a
    linear system for s and t in their logarithms. If both prices are infinite t is 0.
    """
    _, a, b, epsilon, inverse_a, inverse_b = problem
    log_a, log_b = _log_mass(f, a, inverse_a), _log_mass(g, b, inverse_b)
    lacks = log_b - jnp.log(jnp.maximum(mass, jnp.finfo(mass.dtype).tiny))
    determinant = inverse_a + inverse_b + epsilon * inverse_a * inverse_b
    soft = determinant > 0
    gap = log_a - log_b - inverse_a * epsilon * lacks
    shift = jnp.where(soft, gap / jnp.where(soft, determinant, 1), 0)
    return epsilon * lacks + (1 + epsilon * inverse_b) * shift, -shift


def _log_mass(potential: Array, weights: Array, inverse: Array) -> Float[Array, ""]:
    """The logarithm of <weights, exp(-inverse potential)>, accurate also if `inverse` is tiny."""
    exponent = jnp.where(weights > 0, -inverse * potential, -jnp.inf)
    top = jnp.max(exponent)
    mass = jnp.sum(weights)
    excess = jnp.sum(weights * jnp.expm1(jnp.where(weights > 0, exponent - top, 0))) / mass
    return jnp.log(mass) + top + jnp.log1p(jnp.maximum(excess, -1 + jnp.finfo(mass.dtype).eps))


@jax.custom_jvp
def penalised_solution(f: Array, g: Array, problem: Penalised) -> dual.Vectors:
    """The optimal potentials f and g that a solver returned, with derivatives from the equations that they solve.

    With the stochastic matrices Q_ij = K_ij b_j / (K b)_i and S_ji = K_ij a_i / (K^T a)_j,

        (1 + epsilon / rho_a) df + Q dg = r,   (1 + epsilon / rho_b) dg + S df = s.

    Elimination of df leaves ((1 + shift) I - S Q) dg = (1 + epsilon / rho_a) s - S r, which multiplies constants by
    `shift`. Where that is 0, both prices being infinite, the constant of the right-hand side is dropped.
    """
    del problem
    return f, g


@penalised_solution.defjvp
def _(primals, tangents):
    problem, dots = primals[2], tangents[2]
    f, g = penalised_solution(*primals)
    cost_matrix, a, b, epsilon, inverse_a, inverse_b = problem
    k = dual.kernel(f, g, cost_matrix, epsilon)
    rows, columns = k @ b, a @ k
    tiny = jnp.finfo(k.dtype).tiny
    rows, columns = jnp.maximum(rows, tiny), jnp.maximum(columns, tiny)
    change = dots.cost_matrix + (f[:, None] + g - cost_matrix) * (dots.epsilon / epsilon)
    r = ((k * change) @ b - epsilon * (k @ dots.b)) / rows - epsilon * f * dots.inverse_a
    s = (a @ (k * change) - epsilon * (dots.a @ k)) / columns - epsilon * g * dots.inverse_b
    soft_a = 1 + epsilon * inverse_a
    shift = epsilon * (inverse_a + inverse_b + epsilon * inverse_a * inverse_b)
    # With these weights the scaled kernel meets both marginals.
    k, p, q = k / rows[:, None] / columns, a * rows, b * columns
    right = soft_a * s - (p * r) @ k
    constant = q @ right / jnp.sum(q)
    bent = dual.solve_chain(k, p, q, right - constant, shift)
    g_dot = bent + jnp.where(shift > 0, constant / jnp.where(shift > 0, shift, 1), 0)
    return (f, g), ((r - k @ (q * g_dot)) / soft_a, g_dot)
