"""Sinkhorn's matrix scaling, over-relaxed, with potentials that are absorbed into the kernel now and then."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Int

from geojax._core.loops import Iteration, iterate, reachable

ROUND = 24  # iterations after which the kernel is computed anew
PERIOD = 8  # iterations after which the relaxation is adapted
PATIENCE = 64  # iterations without a better error, near the rounding error, after which the iteration stops


class Relaxation(NamedTuple):
    """The exponent omega of the corrections, and the errors by which it is chosen."""

    omega: Float[Array, ""]
    error: Float[Array, ""]  # at the beginning of the period
    best: Float[Array, ""]  # smallest so far, to a percent
    idle: Int[Array, ""]  # iterations near the rounding error since the best error

    @classmethod
    def start(cls, like: Float[Array, ""]) -> "Relaxation":
        """Plain iterations, before any error is known."""
        infinite = jnp.full_like(like, jnp.inf)
        return cls(jnp.ones_like(like), infinite, infinite, jnp.zeros_like(like, jnp.int32))

    @property
    def stalled(self) -> Bool[Array, ""]:
        """Whether rounding keeps the error from falling any further."""
        return self.idle >= PATIENCE


class _Factors(NamedTuple):
    """The factors u and v of one round, and the state of the iteration."""

    u: Float[Array, " n"]
    v: Float[Array, " m"]
    column_error: Float[Array, ""]
    error: Float[Array, ""]
    relaxation: Relaxation
    num_steps: Int[Array, ""]


class _Potentials(NamedTuple):
    """The potentials after a round, and the state of the iteration."""

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    epsilon: Float[Array, ""]  # of the last round
    column_error: Float[Array, ""]
    error: Float[Array, ""]
    relaxation: Relaxation
    num_steps: Int[Array, ""]


def scaling(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    epsilon: Float[Array, ""],
    g: Float[Array, " m"] | None,
    *,
    tol: Float[Array, ""],
    max_steps: int,
    start_epsilon: Float[Array, ""] | None,
) -> Iteration:
    """Run Sinkhorn iterations from the potential g to a marginal error of tol, or as far as rounding allows.

    With E_ij = b_j exp((f_i + g_j - C_ij) / epsilon) a round repeats

        u <- u (1 / (u * E v))^omega,   v <- v (b / (v * E^T (a u)))^omega

    and then adds epsilon log(u, v) to the potentials [Schmitzer2019]. A round ends early if u or v becomes so large
    that entries of E which underflowed could matter. The exponent omega follows the observed rate [Lehmann2022]; the
    last iteration is a plain one, omega = 1. Rows and columns of weight zero take no part in the sums.

    Returns an Iteration whose state is (f, g); num_steps counts iterations. The error is the L1 error of both marginals
    before the last iteration. The error after it is not larger, since a plain iteration moves no more mass than is
    misplaced.
    """
    info = jnp.finfo(cost_matrix.dtype)
    largest = info.tiny**-0.25  # of a factor u or v, and of a correction to it
    log_b = jnp.where(b > 0, jnp.log(jnp.where(b > 0, b, 1)), -jnp.inf)
    supported = jnp.where(b > 0, 0, jnp.inf).astype(cost_matrix.dtype)
    mass = jnp.sum(a)
    infinite = jnp.full_like(epsilon, jnp.inf)

    def corrected(share: Array, omega: Array) -> Array:
        return jnp.clip(jnp.clip(share, 1 / largest, largest) ** -omega, 1 / largest, largest)

    def run_round(state: _Potentials) -> _Potentials:
        # The start has twice the first epsilon, since every round begins by halving it.
        current = jnp.maximum(epsilon, state.epsilon / 2)
        # At a smaller epsilon the last potentials may exceed the costs by many epsilons; row potentials never do.
        # What was observed at the larger epsilon, the error of the columns and the rate, is not known here.
        lowered = (current < state.epsilon) & (state.num_steps > 0)
        f = jax.lax.cond(
            lowered,
            lambda: -current * logsumexp((state.g - cost_matrix) / current + log_b, axis=1),
            lambda: state.f,
        )
        column_error, relaxation = jax.tree.map(
            lambda unknown, known: jnp.where(lowered, unknown, known),
            (mass, Relaxation.start(epsilon)),
            (state.column_error, state.relaxation),
        )
        exponent = (f[:, None] + state.g - cost_matrix) / current + log_b
        kernel = jnp.exp(jnp.minimum(exponent, 0.5 * jnp.log(info.max)))

        def scale(now: _Factors) -> _Factors:
            row = now.u * (kernel @ now.v)
            error = jnp.sum(a * jnp.abs(row - 1)) + now.column_error
            relaxation = adapted(now.relaxation, error, mass, now.num_steps, limit)
            last = (error <= tol) | (now.num_steps + 1 == max_steps) | relaxation.stalled
            omega = jnp.where(last, 1, relaxation.omega)
            u = now.u * corrected(row, omega)
            column = now.v * ((a * u) @ kernel)
            share = jnp.where(b > 0, column / jnp.where(b > 0, b, 1), 1)
            correction = corrected(share, omega)
            column_error = jnp.sum(jnp.abs(column * correction - b))
            return _Factors(u, now.v * correction, column_error, error, relaxation, now.num_steps + 1)

        def round_goes_on(now: _Factors) -> Array:
            low = jnp.minimum(jnp.min(now.u), jnp.min(now.v))
            high = jnp.maximum(jnp.max(now.u), jnp.max(now.v))
            within = now.num_steps < jnp.minimum(max_steps, state.num_steps + ROUND)
            going = within & (now.error > tol) & ~now.relaxation.stalled
            return going & (low > 1 / largest) & (high < largest)

        ones = (jnp.ones_like(state.f), jnp.ones_like(state.g))
        start = _Factors(*ones, column_error, infinite, relaxation, state.num_steps)
        end = jax.lax.while_loop(round_goes_on, scale, start)
        return _Potentials(
            f=f + current * jnp.log(end.u),
            g=state.g + current * jnp.log(end.v),
            epsilon=current,
            column_error=end.column_error,
            error=end.error,
            relaxation=end.relaxation,
            num_steps=end.num_steps,
        )

    def rounds_go_on(state: _Potentials) -> Array:
        annealing = (state.epsilon > epsilon) & ~jnp.isnan(state.error)
        return (state.num_steps < max_steps) & (annealing | ((state.error > tol) & ~state.relaxation.stalled))

    def run(state: _Potentials) -> tuple[_Potentials, Float[Array, ""]]:
        end = jax.lax.while_loop(rounds_go_on, run_round, state)
        # The potentials of a larger epsilon do not solve this problem, whatever their error.
        return end, jnp.where(end.epsilon > epsilon, jnp.maximum(end.error, 2 * limit + info.tiny), end.error)

    # Start from potentials with f_i + g_j <= C_ij for all pairs, with equality for some j in every row.
    if g is None:
        g = jnp.min(cost_matrix - jnp.min(cost_matrix + supported, axis=1)[:, None], axis=0)
    f = jnp.min(cost_matrix - g + supported, axis=1)
    limit = allowed(f, g, epsilon, mass, tol)
    first = epsilon if start_epsilon is None else jnp.maximum(epsilon, start_epsilon)
    start = _Potentials(
        f,
        g,
        epsilon=2 * first,
        column_error=jnp.zeros_like(epsilon),
        error=infinite,
        relaxation=Relaxation.start(epsilon),
        num_steps=jnp.zeros_like(epsilon, dtype=jnp.int32),
    )
    result = iterate(run, start, tol=limit, max_steps=min(max_steps, 1))
    end = result.state
    # Columns of weight zero took no part; their potential follows from the optimality conditions.
    log_a = jnp.where(a > 0, jnp.log(jnp.where(a > 0, a, 1)), -jnp.inf)
    g = jax.lax.cond(
        jnp.all(b > 0),
        lambda: end.g,
        lambda: jnp.where(
            b > 0,
            end.g,
            -epsilon * logsumexp((end.f[:, None] - cost_matrix) / epsilon + log_a[:, None], axis=0),
        ),
    )
    return Iteration((end.f, g), result.error, end.num_steps, result.status)


def allowed(f: Array, g: Array, epsilon: Array, mass: Array, tol: Array) -> Float[Array, ""]:
    """The marginal error that counts as converged: tol, or what rounding of these potentials allows if that is more.

    A potential is known to some ulp of its size, and each entry of the plan to that over epsilon, in parts of itself.
    If that is more than a tenth, no potentials in this precision give a plan, and no error counts as converged.
    """
    size = jnp.max(jnp.abs(f)) + jnp.max(jnp.abs(g))
    unit = jnp.where(epsilon > 0, epsilon, 1)
    whole = jnp.where(mass > 0, mass, 1)
    rounding = 2 * jnp.finfo(f.dtype).eps * size
    return jnp.where(rounding < 0.1 * unit, whole * reachable(tol / whole, rounding, unit), -1)


def adapted(relaxation: Relaxation, error: Array, mass: Array, num_steps: Array, limit: Array) -> Relaxation:
    """At the end of a period, choose omega from the factor by which each of its iterations reduced the error.

    Near the solution the iteration is successive over-relaxation of a two-block linear system. If plain iterations
    converge at the rate q, relaxed ones converge at the rate r with (r + omega - 1)^2 = r omega^2 q. The best choice is
    omega = 2 / (1 + sqrt(1 - q)), with the rate omega - 1. A change of omega may raise the error for some iterations;
    if it rises to ten times the best so far, or a tenth of the mass is misplaced, the next period is of plain
    iterations.

    `idle` counts iterations that are no better than the best, once that is within `limit`, as `allowed`.
    """
    omega, better = relaxation.omega, error < 0.99 * relaxation.best
    best = jnp.where(better, error, relaxation.best)
    ulp = jnp.finfo(error.dtype).eps
    reduction = error / relaxation.error
    rate = jnp.maximum(reduction ** (1 / PERIOD), omega - 1)
    plain_rate = (rate + omega - 1) ** 2 / (rate * omega**2)
    fastest = 2 / (1 + jnp.sqrt(jnp.maximum(1 - plain_rate, 1e-4)))
    # An error of some ulp is rounding and tells nothing about the rate.
    above_floor = error > 100 * ulp
    informative = above_floor & jnp.isfinite(reduction) & (reduction > 0) & (reduction < 1)
    far = (error > 10 * best) | (error > 0.1 * mass)
    chosen = jnp.where(far, 1, jnp.where(informative, fastest, omega))
    ended = num_steps % PERIOD == 0
    idle = jnp.where(better, 0, relaxation.idle + (best <= limit))
    idle = jnp.minimum(
        idle, jnp.where(error <= limit, PATIENCE, PATIENCE - 1)
    )  # end at an error within the limit
    return Relaxation(jnp.where(ended, chosen, omega), jnp.where(ended, error, relaxation.error), best, idle)
