"""Entropic transport by Newton's method on the dual, for small epsilon."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import Iteration, iterate, vary_with
from geojax.transport.entropic.scaling import ROUND, allowed, scaling
from geojax.transport.entropic.sinkhorn import SinkhornResult, result_of
from geojax.transport.measures import matrix_problem, number, potential_of
from geojax.typing import Scalar

DIRECT = 1024  # columns up to which Newton's system is factorised
PATIENCE = 3  # steps without a better error, within what rounding allows, after which the iteration stops
HALVINGS = 12  # of a Newton step, before the fallback is taken


class _Dual(NamedTuple):
    """A column potential g, with the best row potential f for it and the plan of the two."""

    g: Float[Array, " m"]
    f: Float[Array, " n"]
    plan: Float[Array, "n m"]  # its rows sum to a
    slope: Float[Array, " m"]  # b minus the sums of its columns, the gradient of the dual in g
    value: Float[Array, ""]


class _State(NamedTuple):
    dual: _Dual
    error: Float[Array, ""]
    best: Float[Array, ""]  # smallest error so far
    idle: Int[Array, ""]  # steps since then, within what rounding allows
    num_steps: Int[Array, ""]


def sinkhorn_newton(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
    max_sinkhorn_steps: int = 300,
    density: float | None = None,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
) -> SinkhornResult:
    """Entropic optimal transport by Sinkhorn iterations, and then by Newton steps if those did not converge.

    Solves the problem of `sinkhorn`. With f eliminated, f_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon), the
    dual <f(g), a> + <g, b> is concave in g; its gradient is b - P^T 1 and its Hessian
    -(diag(P^T 1) - P^T diag(1 / a) P) / epsilon. Each step is shortened until the dual rises, so the method converges
    from any start, and quadratically in the end, at every epsilon that is large enough for the dtype to resolve the
    plan.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative. By default 1 / n each.
        b: Weights of the columns, [m], nonnegative, with the same sum as a. By default 1 / m each.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach.
        max_steps: Most Newton steps; static.
        max_sinkhorn_steps: Most Sinkhorn iterations before the first Newton step; static.
        density: If given, the Hessian keeps only this share of the plan's entries, the largest, in (0, 1]; static. The
            plan is nearly sparse at small epsilon, and conjugate gradients then solve Newton's system at a cost of
            O(density n m) an iteration. A small density may take more steps but does not change the result. By default
            all entries are kept.
        init: Potentials (f, g) to start from; only g is used.

    Returns:
        SinkhornResult. `num_steps` counts Newton steps only: 0 if the Sinkhorn iterations reached tol.

    Raises:
        ValueError: At trace time, if the shapes disagree, a measure is empty, or density is not in (0, 1].

    Status: as `sinkhorn`.

    Differentiation: as `sinkhorn`: `cost` envelope; `f`, `g`, `plan` implicit in cost_matrix, a, b and epsilon.

    Complexity: O(n m) memory; a Newton step costs O(n m^2 + m^3) up to 1024 columns and some tens or hundreds of
        products with the plan above that, or if density is given. Let the smaller measure be the columns.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sinkhorn_newton
        >>> x = jnp.linspace(0.0, 1.0, 20)
        >>> r = sinkhorn_newton((x[:, None] - x**2) ** 2, epsilon=1e-3, tol=1e-5)
        >>> int(r.status), int(r.num_steps) < 25
        (0, True)

    References: [Tang2024]; [Cuturi2013].
    """
    where = "sinkhorn_newton"
    cost_matrix, a, b = matrix_problem(where, cost_matrix, a, b)
    dtype = cost_matrix.dtype
    data = cost_matrix, a, b, number(where, "epsilon", epsilon, dtype), number(where, "tol", tol, dtype)
    start = None if init is None else potential_of(where, init, cost_matrix.shape, dtype)
    data = vary_with(data, data, start)
    start = None if start is None else vary_with(start, data)
    max_steps = checks.count(where, "max_steps", max_steps)
    max_sinkhorn_steps = checks.count(where, "max_sinkhorn_steps", max_sinkhorn_steps)
    if density is not None and not 0 < density <= 1:
        raise ValueError(
            f"{where}: density is {density}; expected a share in (0, 1], or None to keep all entries."
        )
    return _solve(*data, start, max_steps=max_steps, max_sinkhorn_steps=max_sinkhorn_steps, density=density)


@functools.partial(jax.jit, static_argnames=("max_steps", "max_sinkhorn_steps", "density"))
def _solve(
    cost_matrix: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    tol: Array,
    g: Array | None,
    *,
    max_steps: int,
    max_sinkhorn_steps: int,
    density: float | None,
) -> SinkhornResult:
    """Both stages, compiled once for each shape, so that eager calls are fast too."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    # Without a start the Sinkhorn stage begins at an epsilon that its steps can lower to the one asked for.
    halvings = max(0, max_sinkhorn_steps // ROUND - 2)
    first = None if g is not None else jnp.minimum(0.1 * jnp.ptp(fixed[0]), 2.0**halvings * fixed[3])
    scaled = scaling(
        *fixed, jax.lax.stop_gradient(g), tol=tol, max_steps=max_sinkhorn_steps, start_epsilon=first
    )
    return result_of(ascend(*fixed, scaled, tol, max_steps, density), cost_matrix, a, b, epsilon, tol)


def ascend(
    cost_matrix: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    scaled: Iteration,
    tol: Array,
    max_steps: int,
    density: float | None,
) -> Iteration:
    """Newton steps from the potentials of the Sinkhorn stage until the error is within tol.

    The steps see the costs less those potentials, which are small where the plan is not: what is left to find, and the
    gains of a step, are not lost in the rounding of the costs.
    """
    first_f, first_g = scaled.state
    limit = allowed(first_f, first_g, epsilon, jnp.sum(a), tol)
    cost_matrix = cost_matrix - first_f[:, None] - first_g
    log_b = jnp.where(b > 0, jnp.log(jnp.where(b > 0, b, 1)), -jnp.inf)

    def at(g: Array) -> _Dual:
        exponent = (g - cost_matrix) / epsilon + log_b
        total = logsumexp(exponent, axis=1)
        plan = a[:, None] * jnp.exp(exponent - total[:, None])
        f = -epsilon * total
        return _Dual(g, f, plan, b - jnp.sum(plan, axis=0), f @ a + g @ b)

    def climb(now: _Dual) -> _Dual:
        # The fallback is the move of a Sinkhorn iteration, which always raises the dual. Newton's step is unbounded
        # in a column with almost no mass, so it is limited to a length that the halvings can reduce to an acceptable
        # one.
        columns = jnp.maximum(b - now.slope, jnp.finfo(b.dtype).tiny)
        fallback = jnp.where(b > 0, epsilon * (log_b - jnp.log(columns)), 0)
        direction = epsilon * _newton_direction(now.plan, a, b, now.slope, density)
        largest = 1000 * epsilon + 2 * jnp.max(jnp.abs(fallback))
        direction = direction * jnp.minimum(1, largest / jnp.maximum(jnp.max(jnp.abs(direction)), largest))
        gain = now.slope @ direction
        # If the gain is below the rounding error of the value, the slope decides instead.
        rounding = 8 * jnp.finfo(a.dtype).eps * (jnp.abs(now.f) @ a + jnp.abs(now.g) @ b)

        def accepted(trial: _Dual, length: Array) -> Array:
            rises = trial.value >= now.value + 1e-4 * length * gain
            hidden = jnp.abs(length * gain) <= rounding
            return rises | (hidden & (jnp.sum(jnp.abs(trial.slope)) <= jnp.sum(jnp.abs(now.slope))))

        def shorten(carry: tuple[Array, _Dual, Array]) -> tuple[Array, _Dual, Array]:
            length, _, count = carry
            return length / 2, at(now.g + length / 2 * direction), count + 1

        one = jnp.ones_like(epsilon)
        length, trial, _ = jax.lax.while_loop(
            lambda carry: ~accepted(carry[1], carry[0]) & (carry[2] < HALVINGS),
            shorten,
            (one, at(now.g + direction), jnp.zeros_like(epsilon, dtype=jnp.int32)),
        )
        improves = accepted(trial, length)
        return jax.lax.cond(improves, lambda: trial, lambda: at(now.g + fallback))

    def goes_on(state: _State) -> Array:
        return (state.num_steps < max_steps) & (state.error > tol) & (state.idle < PATIENCE)

    def body(state: _State) -> _State:
        following = climb(state.dual)
        error = jnp.sum(jnp.abs(following.slope))
        better = (error < 0.9 * state.best) | (error > limit)
        idle = jnp.where(better, 0, state.idle + 1)
        return _State(following, error, jnp.minimum(error, state.best), idle, state.num_steps + 1)

    def run(state: _State) -> tuple[_State, Array]:
        end = jax.lax.while_loop(goes_on, body, state)
        return end, end.error

    first = at(jnp.zeros_like(b))
    error, zero = jnp.sum(jnp.abs(first.slope)), jnp.zeros_like(epsilon, dtype=jnp.int32)
    result = iterate(run, _State(first, error, error, zero, zero), tol=limit, max_steps=1)
    end = result.state
    # The slope does not involve columns of weight zero: their potential follows from the optimality conditions.
    log_a = jnp.where(a > 0, jnp.log(jnp.where(a > 0, a, 1)), -jnp.inf)
    extended = -epsilon * logsumexp((end.dual.f[:, None] - cost_matrix) / epsilon + log_a[:, None], axis=0)
    g = jnp.where(b > 0, end.dual.g, extended)
    f, g = first_f + end.dual.f, first_g + g
    return Iteration((f, g), result.error, end.num_steps, result.status)


def _newton_direction(
    plan: Array, a: Array, b: Array, slope: Array, density: float | None = None
) -> Float[Array, " m"]:
    """Solve (diag(P^T 1) - P^T diag(1 / a) P + b b^T / sum(b)) x = slope; the last term fixes the constant.

    The matrix is symmetric and positive on columns of positive weight; other columns get the value 0. The rows of P sum
    to a.
    """
    columns = jnp.sum(plan, axis=0)
    inverse = jnp.where(a > 0, 1 / jnp.where(a > 0, a, 1), 0)
    active = (b > 0) & (columns > 0)
    # In the variable sqrt(columns) x the diagonal is close to one.
    root = jnp.sqrt(jnp.where(active, columns, 1))
    scaled = jnp.where(active, plan / root, 0)
    constant = jnp.where(active, b / root, 0) / jnp.sqrt(jnp.sum(b))
    right = jnp.where(active, slope / root, 0)
    if density is not None:
        # The diagonal stays exact, which keeps the matrix positive whichever entries are dropped. The tolerance shrinks
        # with the error, so that convergence stays quadratic if no entry is dropped.
        off_diagonal = _largest(scaled, inverse, density)
        error = jnp.sum(jnp.abs(slope)) / jnp.sum(b)
        solution = jax.scipy.sparse.linalg.cg(
            lambda z: z - off_diagonal(z) + constant * (constant @ z),
            right,
            tol=jnp.clip(error, 10 * jnp.finfo(plan.dtype).eps, 0.1),  # type: ignore[arg-type]  # may be traced
            maxiter=500,
        )[0]
    elif plan.shape[1] <= DIRECT:
        matrix = jnp.eye(plan.shape[1], dtype=plan.dtype) - scaled.T @ (inverse[:, None] * scaled)
        matrix = matrix + constant[:, None] * constant
        # If the plan consists of nearly separate blocks the matrix is nearly singular, and rounding can make it
        # indefinite. A shift in proportion to the error prevents this and keeps the convergence quadratic.
        shift = 4 * plan.shape[1] * jnp.finfo(plan.dtype).eps + 0.01 * jnp.sum(jnp.abs(slope)) / jnp.sum(b)
        factor = jax.scipy.linalg.cho_factor(matrix + shift * jnp.eye(plan.shape[1], dtype=plan.dtype))
        solution = jax.scipy.linalg.cho_solve(factor, right)
    else:
        solution = jax.scipy.sparse.linalg.cg(
            lambda z: z - (inverse * (scaled @ z)) @ scaled + constant * (constant @ z),
            right,
            tol=1e-3,
            maxiter=500,
        )[0]
    return jnp.where(jnp.all(jnp.isfinite(solution)), solution, right) / root


def _largest(scaled: Array, inverse: Array, density: float) -> Callable[[Array], Array]:
    """The product z -> S^T diag(inverse) S z, where S keeps only the share `density` of largest entries of `scaled`."""
    n, m = scaled.shape
    values, places = jax.lax.top_k(scaled.reshape(-1), max(1, math.ceil(density * n * m)))
    rows, columns = places // m, places % m

    def product(z: Array) -> Array:
        forward = jnp.zeros_like(inverse).at[rows].add(values * z[columns])
        return jnp.zeros_like(z).at[columns].add(values * (inverse * forward)[rows])

    return product
