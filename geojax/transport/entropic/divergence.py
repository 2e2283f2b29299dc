"""The Sinkhorn divergence: entropic transport made into a distance between point clouds."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core import checks
from geojax._core.loops import Iteration, vary_with
from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.costs import SquaredEuclidean, centred_rows, cost_matrix_of
from geojax.transport.entropic.newton import ascend
from geojax.transport.entropic.penalised import Penalised, symmetric_scaling
from geojax.transport.entropic.scaling import scaling
from geojax.transport.entropic.sinkhorn import SinkhornResult, result_of
from geojax.transport.measures import check_same_space, check_weights, matrix_problem, number, potential_of
from geojax.typing import Cost, Scalar

NEWTON = 40  # Sinkhorn iterations for which one Newton step is allowed

WORST_LAST = (Status.CONVERGED, Status.MAX_STEPS, Status.DIVERGED, Status.INFEASIBLE, Status.NONFINITE)


@struct
class DivergenceResult:
    """A Sinkhorn divergence, and how its three transport problems ended.

    `value` is in units of cost; `f` [n] and `g` [m] are the potentials between the two measures, from which a nearby
    problem may start; `error` is the largest L1 error of the marginals, `num_steps` the largest number of steps and
    `status` the worst status among the three problems.
    """

    value: Float[Array, ""]
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def sinkhorn_divergence(
    x: PyTree[Float[Array, "n ..."]],
    y: PyTree[Float[Array, "m ..."]],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    cost: Cost = SquaredEuclidean(),
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
    start_epsilon: Scalar | None = None,
) -> DivergenceResult:
    """Sinkhorn divergence between two weighted point clouds.

    S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2,  where OT is the optimal value of `sinkhorn`. For costs such as
    |x - y|^p with 0 < p <= 2 it is nonnegative, zero only between equal measures, and convex in each; it tends to the
    exact transport cost as epsilon -> 0 and to a maximum mean discrepancy as epsilon grows. The two problems of a
    measure with itself have one potential, found by averaged iterations; what Sinkhorn's iterations leave of the third
    is left to Newton's method.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [m, ...].
        a: Weights of x, [n], nonnegative. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        cost: cost(x_i, y_j) -> scalar, symmetric: `SquaredEuclidean()`, `Distance(space)` or a function.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach in each of the three problems.
        max_steps: Most steps of each of the three problems, and forty times the most Newton steps; static.
        init: Potentials (f, g) to start from, such as those of a nearby problem; only g is used.
        start_epsilon: The iteration starts with this larger epsilon and halves it every 25 steps. By default a tenth of
            the largest cost, if there is no init and epsilon is below a tenth of that.

    Returns:
        DivergenceResult; `value` is the divergence, in units of cost. It is NaN if a problem is INFEASIBLE or
        NONFINITE. If a problem ends with MAX_STEPS its value is a lower bound of the optimum, and the divergence
        approximate. For `SquaredEuclidean` the shift from one mean to the other is split off first, exactly.

    Raises:
        ValueError: At trace time, if the sizes disagree, a measure is empty, or cost does not return a scalar.
        TypeError: At trace time, if cost is not a function of two points, or a number is not real.

    Status: as `sinkhorn`; the worst of the three.

    Differentiation: `value`: envelope in x, y, a, b, epsilon and in what `cost` closes over. a and b may change only so
        that their sums stay fixed; the gradient is defined for such changes. Where the cost of a point to itself has no
        derivative, as for a distance, it is taken as 0.

    Complexity: O((n + m)^2) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sinkhorn_divergence
        >>> x = jnp.array([[0.0], [1.0]])
        >>> float(sinkhorn_divergence(x, x + 2, epsilon=0.5).value.round(3))
        4.0

    References: [Feydy2019].
    """
    where = "sinkhorn_divergence"
    check_weights(where, x, y, a, b)
    checks.count(where, "max_steps", max_steps)
    moved, tilt = 0.0, (0.0, 0.0)
    if isinstance(cost, SquaredEuclidean):
        check_same_space(where, x=x, y=y)
        x, y, moved, tilt = _without_shift(where, x, y, a, b)

    def problem(p: PyTree, q: PyTree, weights_p: Array | None, weights_q: Array | None) -> Any:
        return matrix_problem("sinkhorn", cost_matrix_of(where, "cost", cost, p, q), weights_p, weights_q)

    between, *within = problem(x, y, a, b), problem(x, x, a, a), problem(y, y, b, b)
    dtype = jnp.result_type(between[0], within[0][0], within[1][0])
    epsilon, tol = number(where, "epsilon", epsilon, dtype), number(where, "tol", tol, dtype)
    first = None if start_epsilon is None else number(where, "start_epsilon", start_epsilon, dtype)
    start = None
    if init is not None:
        start = potential_of(where, init, between[0].shape, dtype) - jax.lax.stop_gradient(tilt[1])
    between, epsilon, tol, first = vary_with((between, epsilon, tol, first), between, within, start, first)
    start = None if start is None else vary_with(start, between)
    crossed = _between(*between, epsilon, tol, start, first, max_steps=max_steps)
    own = (_within(*own, epsilon, tol, max_steps=max_steps) for own in within)
    result = combined(crossed, *own)
    mass = jnp.sum(crossed.a)
    return dataclasses.replace(
        result, value=result.value + mass * moved, f=result.f + tilt[0] + moved, g=result.g + tilt[1]
    )


def combined(between: SinkhornResult, within_x: SinkhornResult, within_y: SinkhornResult) -> DivergenceResult:
    """The divergence that three solved problems give, with the worst status among theirs."""
    problems = between, within_x, within_y
    ranks = jnp.stack([_rank(problem.status) for problem in problems])
    status = jnp.asarray(WORST_LAST, jnp.int32)[jnp.max(ranks)]
    usable = (status == Status.CONVERGED) | (status == Status.MAX_STEPS)
    value = between.cost - (within_x.cost + within_y.cost) / 2
    return DivergenceResult(
        jnp.where(usable, value, jnp.nan),
        between.f,
        between.g,
        jnp.max(jnp.stack([problem.error for problem in problems])),
        jnp.max(jnp.stack([problem.num_steps for problem in problems])),
        status,
    )


def _rank(status: Int[Array, ""]) -> Int[Array, ""]:
    """The place of a status in the order from good to bad."""
    return jnp.argmax(jnp.asarray(WORST_LAST, jnp.int32) == status)


def _without_shift(where: str, x: PyTree, y: PyTree, a: Array | None, b: Array | None) -> tuple[Any, ...]:
    """Both clouds less their means, |shift|^2 for the shift of the means, and what that adds to f and g.

    |x_i - y_j|^2 = |p_i - q_j|^2 + 2 <shift, p_i> - 2 <shift, q_j> + |shift|^2  for points p and q less their means,
    and the terms that are linear vanish in the mean.
    """
    p, mean_x = centred_rows(where, x, a)
    q, mean_y = centred_rows(where, y, b)
    shift = mean_x - mean_y
    return p, q, jnp.sum(jnp.square(shift)), (2 * p @ shift, -2 * q @ shift)


@functools.partial(jax.jit, static_argnames="max_steps")
def _between(
    cost_matrix: Array,
    a: Array,
    b: Array,
    epsilon: Array,
    tol: Array,
    g: Array | None,
    start_epsilon: Array | None,
    *,
    max_steps: int,
) -> SinkhornResult:
    """Annealed Sinkhorn iterations, and Newton steps if those did not converge."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    start, first = jax.lax.stop_gradient((g, start_epsilon))
    if start is None and first is None:
        tenth = 0.1 * jnp.ptp(fixed[0])
        first = jnp.where(epsilon < 0.1 * tenth, tenth, epsilon)
    scaled = scaling(*fixed, start, tol=tol, max_steps=max_steps, start_epsilon=first)
    finished = scaled.status == Status.CONVERGED
    climbed = ascend(*fixed, scaled, jnp.where(finished, jnp.inf, tol), max_steps // NEWTON, None)
    better = ~finished & (climbed.error < scaled.error)
    end = jax.tree.map(lambda new, old: jnp.where(better, new, old), climbed, scaled)
    num_steps = scaled.num_steps + jnp.where(finished, 0, climbed.num_steps)
    return result_of(dataclasses.replace(end, num_steps=num_steps), cost_matrix, a, b, epsilon, tol)


@functools.partial(jax.jit, static_argnames="max_steps")
def _within(
    cost_matrix: Array, a: Array, b: Array, epsilon: Array, tol: Array, *, max_steps: int
) -> SinkhornResult:
    """The problem of a measure with itself, whose two potentials are one."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    none = jnp.zeros_like(fixed[3])
    end: Iteration = symmetric_scaling(Penalised(*fixed, none, none), tol=tol, max_steps=max_steps)
    return result_of(end, cost_matrix, a, b, epsilon, tol)
