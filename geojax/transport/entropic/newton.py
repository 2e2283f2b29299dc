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
from geojax.transport.entropic.scaling import scaling
from geojax.transport.entropic.sinkhorn import SinkhornResult, conclude, problem, start_potential
from geojax.typing import Scalar

DIRECT = 1024  # columns up to which Newton's system is factorised
HALVINGS = 12


class _Dual(NamedTuple):
    """A column potential, and what the row potential that is best for it gives."""

    g: Float[Array, " m"]
    f: Float[Array, " n"]
    plan: Float[Array, "n m"]  # its rows sum to a
    slope: Float[Array, " m"]  # b minus the sums of its columns, the gradient of the dual in g
    value: Float[Array, ""]


class _State(NamedTuple):
    dual: _Dual
    error: Float[Array, ""]
    num_steps: Int[Array, ""]


def sinkhorn_newton(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
    num_sinkhorn: int = 300,
    density: float | None = None,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
) -> SinkhornResult:
    """Entropic optimal transport by Sinkhorn iterations, then Newton steps where these do not suffice.

    Solves the problem of `sinkhorn`. With f eliminated, f_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon), the
    dual <f(g), a> + <g, b> is concave in g; its gradient is b - P^T 1 and its Hessian
    -(diag(P^T 1) - P^T diag(1 / a) P) / epsilon. Steps are shortened until the dual rises, so the method converges from
    any start, and quadratically in the end, at every epsilon at which the plan is resolved.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative.
        b: Weights of the columns, [m], nonnegative, of the same sum as a.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach.
        max_steps: Most Newton steps; static.
        num_sinkhorn: Most Sinkhorn iterations before the first of them; static.
        density: Share of the plan's entries, the largest, that the Hessian keeps off its diagonal, in (0, 1]; static.
            The plan is nearly sparse at small epsilon, and Newton's system is then solved by conjugate gradients in
            O(density n m) an iteration. What is left out costs steps, never the result. By default all are kept.
        init: Potentials (f, g) to start from; only g is used.

    Returns:
        SinkhornResult. `num_steps` counts Newton steps only: 0 where the Sinkhorn iterations reached tol.

    Raises:
        ValueError: At trace time, if the shapes disagree, a measure is empty, or density is not in (0, 1].

    Status: as `sinkhorn`.

    Differentiation: as `sinkhorn`: `cost` envelope; `f`, `g`, `plan` implicit in cost_matrix, a, b and epsilon.

    Complexity: O(n m) memory; a Newton step costs O(n m^2 + m^3) up to 1024 columns and some tens or hundreds of
        products with the plan beyond or where density is given. Let the smaller measure be the columns.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sinkhorn_newton
        >>> x = jnp.linspace(0.0, 1.0, 20)
        >>> w = jnp.full(20, 1 / 20)
        >>> r = sinkhorn_newton((x[:, None] - x**2) ** 2, w, w, epsilon=1e-3, tol=1e-5)
        >>> int(r.status), int(r.num_steps) < 25
        (0, True)

    References: [Tang2024]; [Cuturi2013].
    """
    where = "sinkhorn_newton"
    cost_matrix, a, b = problem(where, cost_matrix, a, b)
    dtype = cost_matrix.dtype
    data = cost_matrix, a, b, jnp.asarray(epsilon, dtype), jnp.asarray(tol, dtype)
    data = vary_with(data, *data, init)
    start = None if init is None else start_potential(where, init, data[0])
    max_steps = checks.count(where, "max_steps", max_steps)
    num_sinkhorn = checks.count(where, "num_sinkhorn", num_sinkhorn)
    if density is not None and not 0 < density <= 1:
        raise ValueError(
            f"{where}: density is {density}; expected a share in (0, 1], or None to keep all entries."
        )
    return _solve(*data, start, max_steps=max_steps, num_sinkhorn=num_sinkhorn, density=density)


@functools.partial(jax.jit, static_argnames=("max_steps", "num_sinkhorn", "density"))
def _solve(
    cost_matrix: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    tol: Array,
    g: Array | None,
    *,
    max_steps: int,
    num_sinkhorn: int,
    density: float | None,
) -> SinkhornResult:
    """Both stages, compiled once a shape, also when called eagerly."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    found = scaling(*fixed, jax.lax.stop_gradient(g), tol=tol, max_steps=num_sinkhorn, start_epsilon=None)
    return conclude(_ascend(*fixed, found, tol, max_steps, density), cost_matrix, a, b, epsilon, tol)


def _ascend(
    cost_matrix: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    found: Iteration,
    tol: Array,
    max_steps: int,
    density: float | None,
) -> Iteration:
    """Newton steps from the potentials that were found until the error is within tol."""
    log_b = jnp.where(b > 0, jnp.log(jnp.where(b > 0, b, 1)), -jnp.inf)

    def at(g: Array) -> _Dual:
        exponent = (g - cost_matrix) / epsilon + log_b
        total = logsumexp(exponent, axis=1)
        plan = a[:, None] * jnp.exp(exponent - total[:, None])
        f = -epsilon * total
        return _Dual(g, f, plan, b - jnp.sum(plan, axis=0), f @ a + g @ b)

    def climb(now: _Dual) -> _Dual:
        # A Sinkhorn iteration would move g by this, and raise the dual for certain. Newton's step is unbounded where a
        # column has next to no mass, so it is kept to what the halvings can bring down.
        columns = jnp.maximum(b - now.slope, jnp.finfo(b.dtype).tiny)
        fallback = jnp.where(b > 0, epsilon * (log_b - jnp.log(columns)), 0)
        direction = epsilon * _newton_direction(now.plan, a, b, now.slope, density)
        largest = 1000 * epsilon + 2 * jnp.max(jnp.abs(fallback))
        direction = direction * jnp.minimum(1, largest / jnp.maximum(jnp.max(jnp.abs(direction)), largest))
        gain = now.slope @ direction
        # A step that the rounding of the value hides is judged by the slope.
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
        return (state.num_steps < max_steps) & (state.error > tol)

    def body(state: _State) -> _State:
        following = climb(state.dual)
        return _State(following, jnp.sum(jnp.abs(following.slope)), state.num_steps + 1)

    def run(state: _State) -> tuple[_State, Array]:
        end = jax.lax.while_loop(goes_on, body, state)
        return end, end.error

    first = at(found.state[1])
    start = _State(first, jnp.sum(jnp.abs(first.slope)), jnp.zeros_like(epsilon, dtype=jnp.int32))
    result = iterate(run, start, tol=tol, max_steps=1)
    end = result.state
    # Columns of weight zero have no slope; what the Sinkhorn stage extended g by is brought up to date.
    log_a = jnp.where(a > 0, jnp.log(jnp.where(a > 0, a, 1)), -jnp.inf)
    extended = -epsilon * logsumexp((end.dual.f[:, None] - cost_matrix) / epsilon + log_a[:, None], axis=0)
    g = jnp.where(b > 0, end.dual.g, extended)
    return Iteration((end.dual.f, g), result.error, end.num_steps, result.status)


def _newton_direction(
    plan: Array, a: Array, b: Array, slope: Array, density: float | None = None
) -> Float[Array, " m"]:
    """Solve (diag(P^T 1) - P^T diag(1 / a) P + b b^T / sum(b)) x = slope; the last term fixes the constant.

    The matrix is symmetric and positive on columns of positive weight; others are left alone. The rows of P sum to a.
    """
    columns = jnp.sum(plan, axis=0)
    inverse = jnp.where(a > 0, 1 / jnp.where(a > 0, a, 1), 0)
    active = (b > 0) & (columns > 0)
    # In the variable sqrt(columns) x the diagonal is close to one.
    root = jnp.sqrt(jnp.where(active, columns, 1))
    scaled = jnp.where(active, plan / root, 0)
    gauge = jnp.where(active, b / root, 0) / jnp.sqrt(jnp.sum(b))
    right = jnp.where(active, slope / root, 0)
    if density is not None:
        # The exact diagonal keeps the matrix positive whatever is left out. The residual shrinks with the error, so
        # that the convergence stays quadratic where nothing is.
        off_diagonal = _largest(scaled, inverse, density)
        error = jnp.sum(jnp.abs(slope)) / jnp.sum(b)
        solution = jax.scipy.sparse.linalg.cg(
            lambda z: z - off_diagonal(z) + gauge * (gauge @ z),
            right,
            tol=jnp.clip(error, 10 * jnp.finfo(plan.dtype).eps, 0.1),  # type: ignore[arg-type]  # may be traced
            maxiter=500,
        )[0]
    elif plan.shape[1] <= DIRECT:
        matrix = jnp.eye(plan.shape[1], dtype=plan.dtype) - scaled.T @ (inverse[:, None] * scaled)
        matrix = matrix + gauge[:, None] * gauge
        # Where the plan falls into nearly separate parts the matrix is nearly singular, and indefinite by rounding. A
        # shift in proportion to the error keeps the convergence quadratic.
        shift = 4 * plan.shape[1] * jnp.finfo(plan.dtype).eps + 0.01 * jnp.sum(jnp.abs(slope)) / jnp.sum(b)
        factor = jax.scipy.linalg.cho_factor(matrix + shift * jnp.eye(plan.shape[1], dtype=plan.dtype))
        solution = jax.scipy.linalg.cho_solve(factor, right)
    else:
        solution = jax.scipy.sparse.linalg.cg(
            lambda z: z - (inverse * (scaled @ z)) @ scaled + gauge * (gauge @ z),
            right,
            tol=1e-3,
            maxiter=500,
        )[0]
    return jnp.where(jnp.all(jnp.isfinite(solution)), solution, right) / root


def _largest(scaled: Array, inverse: Array, density: float) -> Callable[[Array], Array]:
    """The product z -> S^T diag(inverse) S z, where S holds the largest entries of a matrix, in that share."""
    n, m = scaled.shape
    values, places = jax.lax.top_k(scaled.reshape(-1), max(1, math.ceil(density * n * m)))
    rows, columns = places // m, places % m

    def product(z: Array) -> Array:
        forward = jnp.zeros_like(inverse).at[rows].add(values * z[columns])
        return jnp.zeros_like(z).at[columns].add(values * (inverse * forward)[rows])

    return product
