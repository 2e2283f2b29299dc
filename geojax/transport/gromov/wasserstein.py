"""Gromov-Wasserstein transport: couplings of two spaces by their inner distances alone."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.transport.entropic import dual
from geojax.transport.entropic.scaling import scaling
from geojax.transport.measures import arrays, number, with_weights
from geojax.typing import Scalar

LOOSEST = 1e-3  # largest marginal error allowed in an inner problem, while the plan still changes much


@struct
class GromovResult:
    """A coupling of two metric measure spaces, and what it costs.

    `plan` [n, m] is the coupling; `cost` is its distortion (in the fused problem, with the cost of features) without
    the entropy; `objective` is the minimised value, with the entropy; `error` is the L1 change of the plan in the last
    step plus the L1 error of its marginals, in units of weight.
    """

    plan: Float[Array, "n m"]
    cost: Float[Array, ""]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class Problem(NamedTuple):
    """The data of a fused problem; with alpha = 1 only the distortion counts."""

    cost_matrix: Float[Array, "n m"]
    cost_x: Float[Array, "n n"]
    cost_y: Float[Array, "m m"]
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    alpha: Float[Array, ""]
    epsilon: Float[Array, ""]
    proximal: Float[Array, ""]


class _Coupling(NamedTuple):
    """A plan with the potentials of the inner problem that it solves."""

    plan: Float[Array, "n m"]
    density: Float[Array, "n m"]  # log of the plan over a b^T
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Float[Array, ""]


def gromov_wasserstein(
    cost_x: Float[Array, "n n"],
    cost_y: Float[Array, "m m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar,
    proximal: Scalar = 0.0,
    tol: Scalar | None = None,
    max_steps: int = 1000,
    max_inner_steps: int = 500,
    init: Float[Array, "n m"] | None = None,
    kl_loss: bool = False,
) -> GromovResult:
    """Entropic Gromov-Wasserstein coupling of two spaces, for the squared or the KL loss (a local optimum).

    Minimises  sum_ijkl (X_ik - Y_jl)^2 P_ij P_kl + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over couplings P of a and
    b. Each step linearises the first term E at the last plan and solves the entropic transport problem

        P_next = argmin <grad E(P_last), P> + epsilon KL(P | a b^T) + proximal KL(P | P_last).

    With proximal = 0 that is mirror descent with the step 1 / epsilon; the objective falls in every step if X and Y are
    conditionally negative (Euclidean distances, squared or not). With epsilon = 0 < proximal it is the proximal point
    method for E itself, whose plans become sparse.

    Args:
        cost_x: Distances, or any similarities, within the first space, [n, n], finite; from points,
            `pairwise(cost, x, x)`.
        cost_y: The same within the second space, [m, m].
        a: Weights of the first space, [n], nonnegative. By default 1 / n each.
        b: Weights of the second space, [m], nonnegative, with the same sum as a. By default 1 / m each.
        epsilon: Strength of the entropy, >= 0, in units of squared cost.
        proximal: Strength of the proximal term, >= 0, in the same units; one of the two must be positive. Raise it
            if the plan oscillates.
        tol: Error to reach: L1 change of the plan and L1 error of its marginals together; by default 1e-6 or 1000 ulp,
            whichever is larger. Rounding limits the accuracy of log(plan) to some ulp of the squared costs, divided by
            epsilon + proximal.
        max_steps: Most steps; static.
        max_inner_steps: Most scalings of rows and columns in one step; static. Each step starts from the
            potentials of the last one.
        init: Coupling to start from, [n, m]; a b^T by default. The problem is not convex: vmap over starts, and keep
            the best `objective`.
        kl_loss: Compare X_ik and Y_jl by X_ik log(X_ik / Y_jl) - X_ik + Y_jl in place of (X_ik - Y_jl)^2; static. Then
            both hold nonnegative similarities, and epsilon is in their units. What is smaller than 1e-18 of the largest
            entry, such as the zeros of a matrix of distances, counts as that in the logarithms.

    Returns:
        GromovResult. `cost` is the distortion E of the plan; for the squared loss, the squared Gromov-Wasserstein cost.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, the sums differ by more than tol, or epsilon or
        proximal is negative or both are zero; NONFINITE if the data hold a NaN or an infinity, or for the KL loss a
        negative number.

    Differentiation: `objective`: envelope, to first order, in cost_x, cost_y, a, b and epsilon. `cost`: with the plan
        held fixed, which differs from its derivative by a term of order epsilon. Others: none. a and b may change
        only so that their sums stay fixed; the gradient is defined for such changes.

    Complexity: O(n m) memory; O(n^2 m + n m^2) time per step, and O(n m) per scaling.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import gromov_wasserstein
        >>> x = jnp.array([0.0, 1.0, 3.0])
        >>> y = jnp.array([10.0, 7.0, 9.0])  # the same three points, mirrored and in another order
        >>> r = gromov_wasserstein(abs(x[:, None] - x), abs(y[:, None] - y), epsilon=0.1)
        >>> r.plan.argmax(1).tolist(), round(float(r.cost), 3)
        ([0, 2, 1], 0.0)

    References: [Peyre2016]; [Xu2019] for the proximal steps; [Memoli2011].
    """
    where = "gromov_wasserstein"
    check_square(where, cost_x=cost_x, cost_y=cost_y)
    cost_x, cost_y, a, b = with_weights(where, a, b, cost_x=(cost_x, "n n"), cost_y=(cost_y, "m m"))
    scalars = (
        number(where, name, value, a.dtype)
        for name, value in (("alpha", 1), ("epsilon", epsilon), ("proximal", proximal))
    )
    spaces = for_kl(cost_x, cost_y) if kl_loss else (cost_x, cost_y)
    problem = Problem(jnp.zeros((a.size, b.size), a.dtype), *spaces, a, b, *scalars)
    mode = {"fused": False, "kl": kl_loss}
    return solve(where, problem, init, tol=tol, max_steps=max_steps, max_inner_steps=max_inner_steps, **mode)


def for_kl(cost_x: Array, cost_y: Array) -> tuple[Array, Array]:
    """X and log(Y) / 2, whose squared loss has the cross term X_ik log(Y_jl) of the KL loss; NaN for negative data."""
    cost_x, cost_y = (jnp.where(costs < 0, jnp.nan, costs) for costs in (cost_x, cost_y))
    return cost_x, jnp.log(_positive(cost_y)) / 2


def _positive(costs: Array) -> Array:
    """Costs with those of almost zero, relative to the largest, raised to that."""
    largest = jax.lax.stop_gradient(jnp.max(costs))
    return jnp.maximum(costs, 1e-18 * jnp.where(largest > 0, largest, 1))


def solve(
    where: str,
    problem: Problem,
    init: Array | None,
    *,
    tol: Scalar | None,
    max_steps: int,
    max_inner_steps: int,
    fused: bool,
    kl: bool,
) -> GromovResult:
    """Mirror descent on the fused problem; if not `fused`, alpha is 1 and the feature costs are left out.

    If `kl`, the spaces of the problem are those that `for_kl` returned.
    """
    max_steps = checks.count(where, "max_steps", max_steps)
    max_inner_steps = checks.count(where, "max_inner_steps", max_inner_steps, minimum=1)
    dtype = problem.a.dtype
    tol = max(1e-6, 1000 * float(jnp.finfo(dtype).eps)) if tol is None else tol
    limit = number(where, "tol", tol, dtype)
    if init is not None:
        (init,) = arrays(where, init=init)
    problem = Problem(*vary_with(tuple(problem), tuple(problem), limit, init))
    if init is not None:
        checks.shapes(where, a=(problem.a, "n"), b=(problem.b, "m"), init=(init, "n m"))
        init = vary_with(jnp.asarray(init, dtype), problem.a)
    mode = {"fused": fused, "kl": kl}
    return _descend(problem, limit, init, max_steps=max_steps, max_inner_steps=max_inner_steps, **mode)


@functools.partial(jax.jit, static_argnames=("max_steps", "max_inner_steps", "fused", "kl"))
def _descend(
    problem: Problem,
    limit: Array,
    init: Array | None,
    *,
    max_steps: int,
    max_inner_steps: int,
    fused: bool,
    kl: bool,
) -> GromovResult:
    """The whole descent, compiled once for each shape, so that eager calls are fast too."""
    fixed = jax.lax.stop_gradient(problem)
    reference = fixed.a[:, None] * fixed.b
    start = reference if init is None else jax.lax.stop_gradient(init)
    step = _step(fixed, limit, max_inner_steps, fused)
    end = iterate(step, _start(start, reference), tol=limit, max_steps=max_steps)
    last = _uncentred(end.state, fixed)
    positive = (fixed.epsilon >= 0) & (fixed.proximal >= 0)
    feasible = dual.feasible(fixed.a, fixed.b, fixed.epsilon + fixed.proximal, limit) & positive
    return GromovResult(
        last.plan,
        _cost(last.plan, problem, kl),
        _OBJECTIVE[kl](last, problem),
        end.error,
        end.num_steps,
        dual.judged(end.status, feasible, *fixed),
    )


def check_square(where: str, **costs: Array) -> None:
    """Check that distances within a space are a square matrix, and say how to compute them from points."""
    for name, value in costs.items():
        shape = jnp.shape(value) if hasattr(value, "shape") else ()
        if len(shape) == 2 and shape[0] != shape[1]:
            raise ValueError(
                f"{where}: {name} has shape {list(shape)}; expected the distances within one space, a square matrix. "
                f"From points x write {name}=pairwise(SquaredEuclidean(), x, x) or pairwise(Distance(), x, x)."
            )


def _start(plan: Array, reference: Array) -> _Coupling:
    used = reference > 0
    ratio = jnp.maximum(plan, jnp.finfo(plan.dtype).tiny) / jnp.where(used, reference, 1)
    density = jnp.where(used, jnp.log(ratio), 0)
    return _Coupling(plan, density, 0 * plan[:, 0], 0 * plan[0], jnp.sum(plan))


def _step(problem: Problem, tol: Array, max_inner_steps: int, fused: bool):
    """One linearisation and its entropic transport problem, started from the last potentials."""
    cost_x, cost_y, a, b = problem.cost_x, problem.cost_y, problem.a, problem.b
    strength = problem.epsilon + problem.proximal
    symmetric = jnp.all(cost_x == cost_x.T) & jnp.all(cost_y == cost_y.T)
    # A constant added to the distances changes the gradient only by terms that are constant along rows or columns,
    # which do not affect the coupling. Subtracting the mean makes the gradient smaller, and so its rounding error.
    cost_x, cost_y = cost_x - _mean(cost_x, a), cost_y - _mean(cost_y, b)
    cap = 0.5 * jnp.log(jnp.finfo(a.dtype).max)  # of entries whose row and column both have weight zero

    def linearised(plan: Array) -> Array:
        """The gradient of the objective, up to terms that are constant along rows or columns."""
        cross = jax.lax.cond(
            symmetric,
            lambda: 2 * (cost_x @ plan @ cost_y),
            lambda: cost_x @ plan @ cost_y.T + cost_x.T @ plan @ cost_y,
        )
        gradient = -2 * problem.alpha * cross
        return gradient + (1 - problem.alpha) * problem.cost_matrix if fused else gradient

    def step(now: _Coupling) -> tuple[_Coupling, Array]:
        costs = linearised(now.plan) - problem.proximal * now.density
        inner_tol = jnp.maximum(tol / 4, jnp.minimum(0.05 * now.error, LOOSEST * jnp.sum(a)))
        inner = scaling(
            costs, a, b, strength, now.g, tol=inner_tol, max_steps=max_inner_steps, start_epsilon=None
        )
        f, g = inner.state
        density = jnp.minimum((f[:, None] + g - costs) / strength, cap)
        plan = a[:, None] * jnp.exp(density) * b
        error = jnp.sum(jnp.abs(plan - now.plan)) + inner.error
        return _Coupling(plan, density, f, g, error), error

    return step


def _mean(costs: Array, weights: Array) -> Array:
    return weights @ (costs @ weights) / jnp.sum(weights) ** 2


def _uncentred(end: _Coupling, problem: Problem) -> _Coupling:
    """The potentials for the distances themselves; the descent subtracted the mean of the distances."""
    cost_x, cost_y, a, b = problem.cost_x, problem.cost_y, problem.a, problem.b
    shift_f = 2 * problem.alpha * _mean(cost_y, b) * (cost_x @ a + a @ cost_x)
    shift_g = 2 * problem.alpha * _mean(cost_x, a) * (cost_y @ b + b @ cost_y)
    return end._replace(f=end.f - shift_f, g=end.g - shift_g)


def _distortion(plan: Array, rows: Array, columns: Array, problem: Problem, kl: bool) -> Array:
    """The value alpha sum L(X_ik, Y_jl) P_ij P_kl + (1 - alpha) <P, C>, for a plan with these marginals."""
    cost_x, cost_y = problem.cost_x, problem.cost_y
    if kl:
        own_x, own_y = cost_x * (jnp.log(_positive(cost_x)) - 1), jnp.exp(2 * cost_y)
    else:
        own_x, own_y = cost_x**2, cost_y**2
    own = rows @ (own_x @ rows) + columns @ (own_y @ columns)
    cross = jnp.sum((cost_x @ plan @ cost_y.T) * plan)
    return problem.alpha * (own - 2 * cross) + (1 - problem.alpha) * jnp.sum(problem.cost_matrix * plan)


def _cost(plan: Array, problem: Problem, kl: bool) -> Array:
    return _distortion(plan, jnp.sum(plan, axis=1), jnp.sum(plan, axis=0), problem, kl)


def _lagrangian(end: _Coupling, problem: Problem, *, kl: bool) -> Array:
    """The objective plus multipliers times constraints: stationary in the plan, so only the data are differentiated."""
    plan, a, b = end.plan, problem.a, problem.b
    slack = (a - jnp.sum(plan, axis=1)) @ end.f + (b - jnp.sum(plan, axis=0)) @ end.g
    return _distortion(plan, a, b, problem, kl) + problem.epsilon * jnp.sum(plan * end.density) + slack


_OBJECTIVE = {kl: dual.envelope(functools.partial(_lagrangian, kl=kl)) for kl in (False, True)}
