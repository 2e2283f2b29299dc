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
from geojax.typing import Scalar

LOOSEST = 1e-3  # marginal error of the inner problems while the plan still moves much


@struct
class GromovResult:
    """A coupling of two metric measure spaces, and what it costs.

    `plan` [n, m] is the coupling; `cost` its distortion (for the fused problem, with the cost of features) without any
    entropy; `objective` what was minimised, the entropy included; `error` the L1 change of the plan in the last step
    and the L1 error of its marginals, summed, in units of weight.
    """

    plan: Float[Array, "n m"]
    cost: Float[Array, ""]
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class Problem(NamedTuple):
    """The data of a fused problem; alpha = 1 and feature costs of zero leave the distortion alone."""

    cost_matrix: Float[Array, "n m"]
    cost_x: Float[Array, "n n"]
    cost_y: Float[Array, "m m"]
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    alpha: Float[Array, ""]
    epsilon: Float[Array, ""]
    proximal: Float[Array, ""]


class _Coupling(NamedTuple):
    plan: Float[Array, "n m"]
    density: Float[Array, "n m"]  # log of the plan over a b^T
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Float[Array, ""]


def gromov_wasserstein(
    cost_x: Float[Array, "n n"],
    cost_y: Float[Array, "m m"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    *,
    epsilon: Scalar,
    proximal: Scalar = 0.0,
    tol: Scalar | None = None,
    max_steps: int = 1000,
    max_inner_steps: int = 500,
    init: Float[Array, "n m"] | None = None,
) -> GromovResult:
    """Entropic Gromov-Wasserstein coupling of two spaces, for the squared loss (a local optimum).

    Minimises  sum_ijkl (X_ik - Y_jl)^2 P_ij P_kl + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over couplings P of a and
    b. Each step linearises the first term E at the last plan and solves the entropic transport problem

        P_next = argmin <grad E(P_last), P> + epsilon KL(P | a b^T) + proximal KL(P | P_last).

    With proximal = 0 that is mirror descent with the step 1 / epsilon; the objective falls in every step where X and Y
    are conditionally negative (Euclidean distances, squared or not). With epsilon = 0 < proximal it is the proximal
    point method for E itself, whose plans become sparse.

    Args:
        cost_x: Distances, or any similarities, within the first space, [n, n], finite.
        cost_y: Those within the second space, [m, m].
        a: Weights, [n], nonnegative.
        b: Weights, [m], nonnegative, of the same sum as a.
        epsilon: Strength of the entropy, >= 0, in units of squared cost.
        proximal: Strength of the proximal term, >= 0, in the same units; one of the two must be positive. Raise it
            where the steps go back and forth.
        tol: Error to reach: L1 change of the plan and L1 error of its marginals together; by default 1e-6 or 1000 ulp,
            whichever is larger. The plan itself is resolved to some ulp of squared cost over the strength.
        max_steps: Most steps; static.
        max_inner_steps: Most scalings of rows and columns in one step; static. Potentials are carried over.
        init: Coupling to start from, [n, m]; a b^T by default. The problem is not convex: vmap over starts, and keep
            the best `objective`.

    Returns:
        GromovResult. `cost` is the distortion E of the plan, the squared Gromov-Wasserstein cost.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE where a weight is negative, the sums differ by more than tol, or the
        strengths are negative or both zero; NONFINITE where the data hold a NaN or an infinity.

    Differentiation: `objective`: envelope, to first order, in cost_x, cost_y, a, b and epsilon. `cost`: with the plan
        held, which is its derivative up to a term of order epsilon. Others: none. Gradients by a and b are meant along
        changes that keep the sum.

    Complexity: O(n m) memory; O(n^2 m + n m^2) time per step, and O(n m) per scaling.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import gromov_wasserstein
        >>> x = jnp.array([0.0, 1.0, 3.0])
        >>> y = jnp.array([10.0, 7.0, 9.0])  # the same three points, mirrored and in another order
        >>> w = jnp.full(3, 1 / 3)
        >>> r = gromov_wasserstein(abs(x[:, None] - x), abs(y[:, None] - y), w, w, epsilon=0.1)
        >>> r.plan.argmax(1).tolist(), round(float(r.cost), 3)
        ([0, 2, 1], 0.0)

    References: [Peyre2016]; [Xu2019] for the proximal steps; [Memoli2011].
    """
    where = "gromov_wasserstein"
    cost_x, cost_y, a, b = checks.floats(where, cost_x=cost_x, cost_y=cost_y, a=a, b=b)
    checks.shapes(where, a=(a, "n"), b=(b, "m"), cost_x=(cost_x, "n n"), cost_y=(cost_y, "m m"))
    scalars = (jnp.asarray(x, a.dtype) for x in (1, epsilon, proximal))
    problem = Problem(jnp.zeros((a.size, b.size), a.dtype), cost_x, cost_y, a, b, *scalars)
    return solve(
        where, problem, init, tol=tol, max_steps=max_steps, max_inner_steps=max_inner_steps, fused=False
    )


def solve(
    where: str,
    problem: Problem,
    init: Array | None,
    *,
    tol: Scalar | None,
    max_steps: int,
    max_inner_steps: int,
    fused: bool,
) -> GromovResult:
    """Mirror descent on the fused problem; `fused` says whether the feature costs matter at all."""
    n, m = problem.cost_matrix.shape
    if n == 0 or m == 0:
        raise ValueError(
            f"{where}: a and b have sizes {n} and {m}; expected at least one point in each. "
            "An empty measure has no coupling; leave the problem out."
        )
    max_steps = checks.count(where, "max_steps", max_steps)
    max_inner_steps = checks.count(where, "max_inner_steps", max_inner_steps, minimum=1)
    dtype = problem.a.dtype
    limit = jnp.asarray(max(1e-6, 1000 * float(jnp.finfo(dtype).eps)) if tol is None else tol, dtype)
    problem = Problem(*vary_with(tuple(problem), tuple(problem), limit, init))
    if init is not None:
        checks.shapes(where, a=(problem.a, "n"), b=(problem.b, "m"), init=(init, "n m"))
        init = vary_with(jnp.asarray(init, dtype), problem.a)
    return _descend(problem, limit, init, max_steps=max_steps, max_inner_steps=max_inner_steps, fused=fused)


@functools.partial(jax.jit, static_argnames=("max_steps", "max_inner_steps", "fused"))
def _descend(
    problem: Problem,
    limit: Array,
    init: Array | None,
    *,
    max_steps: int,
    max_inner_steps: int,
    fused: bool,
) -> GromovResult:
    """The whole descent, compiled once a shape, also when called eagerly."""
    fixed = jax.lax.stop_gradient(problem)
    reference = fixed.a[:, None] * fixed.b
    start = reference if init is None else jax.lax.stop_gradient(init)
    step = _step(fixed, limit, max_inner_steps, fused)
    found = iterate(step, _start(start, reference), tol=limit, max_steps=max_steps)
    end = _uncentred(found.state, fixed)
    positive = (fixed.epsilon >= 0) & (fixed.proximal >= 0)
    feasible = dual.feasible(fixed.a, fixed.b, fixed.epsilon + fixed.proximal, limit) & positive
    return GromovResult(
        end.plan,
        _cost(end.plan, problem),
        _objective(end, problem),
        found.error,
        found.num_steps,
        dual.judged(found.status, feasible, *fixed),
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
    # A constant added to the distances adds to the gradient what is constant along rows or columns. Without their mean
    # it is smaller, and rounded less.
    cost_x, cost_y = cost_x - _mean(cost_x, a), cost_y - _mean(cost_y, b)
    cap = 0.5 * jnp.log(jnp.finfo(a.dtype).max)  # where a row and a column of weight zero meet

    def linearised(plan: Array) -> Array:
        """The gradient of the objective without what is constant along rows or columns."""
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
    """The potentials that belong to the distances themselves, not to those without their mean."""
    cost_x, cost_y, a, b = problem.cost_x, problem.cost_y, problem.a, problem.b
    shift_f = 2 * problem.alpha * _mean(cost_y, b) * (cost_x @ a + a @ cost_x)
    shift_g = 2 * problem.alpha * _mean(cost_x, a) * (cost_y @ b + b @ cost_y)
    return end._replace(f=end.f - shift_f, g=end.g - shift_g)


def _distortion(plan: Array, rows: Array, columns: Array, problem: Problem) -> Array:
    """The value alpha sum (X_ik - Y_jl)^2 P_ij P_kl + (1 - alpha) <P, C>, for a plan with these marginals."""
    cost_x, cost_y = problem.cost_x, problem.cost_y
    own = rows @ (cost_x**2 @ rows) + columns @ (cost_y**2 @ columns)
    cross = jnp.sum((cost_x @ plan @ cost_y.T) * plan)
    return problem.alpha * (own - 2 * cross) + (1 - problem.alpha) * jnp.sum(problem.cost_matrix * plan)


def _cost(plan: Array, problem: Problem) -> Array:
    return _distortion(plan, jnp.sum(plan, axis=1), jnp.sum(plan, axis=0), problem)


def _lagrangian(end: _Coupling, problem: Problem) -> Array:
    """The objective and its multipliers: stationary in the plan, so that the data alone carry derivatives."""
    plan, a, b = end.plan, problem.a, problem.b
    slack = (a - jnp.sum(plan, axis=1)) @ end.f + (b - jnp.sum(plan, axis=0)) @ end.g
    return _distortion(plan, a, b, problem) + problem.epsilon * jnp.sum(plan * end.density) + slack


_objective = dual.envelope(_lagrangian)
