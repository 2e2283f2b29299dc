"""Exact optimal transport between discrete measures with any weights."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, Float, Int

from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.discrete.network_simplex import network_simplex
from geojax.transport.entropic import dual
from geojax.transport.measures import coarsest_ulp, matrix_problem


@struct
class ExactTransportResult:
    """An optimal coupling, and potentials that prove it optimal.

    `plan` [n, m] has at most n + m - 1 positive entries; `f` [n] and `g` [m], in units of cost, satisfy
    f_i + g_j <= C_ij with equality where the plan is positive, and <f, a> = 0; `cost` is <plan, C>; `error` bounds what
    it is above the minimum; `num_steps` counts the exchanges of pairs.
    """

    plan: Float[Array, "n m"]
    cost: Float[Array, ""]
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def exact_transport(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
) -> ExactTransportResult:
    """Exact optimal transport between two discrete measures, by the network simplex method.

    Minimises  <P, C>  over couplings P of a and b (P >= 0, P 1 = a, P^T 1 = b), without entropy. For equal numbers of
    points with equal weights `assignment` is faster.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative; zeros are allowed. By default 1 / n each.
        b: Weights of the columns, [m], nonnegative, with the same sum as a. By default 1 / m each.

    Returns:
        ExactTransportResult, computed in float64 and rounded once to the dtype of the arguments. The marginals of the
        plan are a and b up to rounding. If the optimum is not unique the plan is one of the optimal vertices.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED; INFEASIBLE if a weight is negative, a measure has no mass, or the sums of the weights differ by
        more than the rounding of the least precise dtype; NONFINITE if the data hold a NaN or an infinity; MAX_STEPS if
        the search was given up. The numbers of a result that is not CONVERGED are NaN.

    Differentiation: `cost`: envelope; its gradient is the plan in the costs, f in a and g in b, one of the
        generalised derivatives if several are optimal. a and b may change only so that their sums stay fixed; the
        gradient is defined for such changes. Others: none (the plan is constant between changes of the basis).

    Complexity: some n + m to some ten times as many exchanges, of O(n + m) each, and O(n m) for some dozens of
        searches; O(n m) memory. On the host; a whole `vmap` is one call, which solves one problem after the other.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import exact_transport
        >>> C = jnp.array([[0.0, 1.0], [1.0, 0.0]])
        >>> r = exact_transport(C, jnp.array([0.75, 0.25]), jnp.array([0.5, 0.5]))
        >>> r.plan.tolist(), float(r.cost)
        ([[0.5, 0.25], [0.0, 0.25]], 0.25)

    References: [Peyre2019], Sec. 3.5; [Bonneel2011].
    """
    where = "exact_transport"
    cost_matrix, first, second = matrix_problem(where, cost_matrix, a, b)
    ulp = coarsest_ulp(cost_matrix.dtype, a, b)
    return _solve(*vary_with((cost_matrix, first, second), (cost_matrix, first, second)), ulp=ulp)


@functools.partial(jax.jit, static_argnames="ulp")
def _solve(cost_matrix: Array, a: Array, b: Array, *, ulp: float) -> ExactTransportResult:
    """The solver and the certificate, compiled once for each shape."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b))
    feasible = _is_feasible(*fixed[1:], ulp)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(v)) for v in fixed]))
    usable = feasible & finite
    # A problem that is not usable is replaced by one that is solved at once.
    costs = jnp.where(usable, fixed[0], 0)
    plan, f, g, num_steps, finished = jax.lax.platform_dependent(
        costs,
        *(jnp.where(usable, weights, 1 / weights.size) for weights in fixed[1:]),
        cpu=_on_host,
        default=_through_host,
    )
    code = jnp.where(finished, Status.CONVERGED, Status.MAX_STEPS)
    code = jnp.where(finite, jnp.where(feasible, code, Status.INFEASIBLE), Status.NONFINITE)
    solved = code == Status.CONVERGED
    plan, f, g = (jnp.where(solved, v, jnp.nan) for v in (plan, f, g))
    f, g = dual.centred(f, g, fixed[1])
    reduced = costs - f[:, None] - g
    error = jnp.sum(plan * reduced) + jnp.sum(fixed[1]) * jnp.maximum(0, -jnp.min(reduced))
    cost = _value((plan, f, g), (cost_matrix, a, b))
    return ExactTransportResult(plan, cost, f, g, error, num_steps, code.astype(jnp.int32))


def _is_feasible(a: Array, b: Array, ulp: float) -> Array:
    """Whether weights are nonnegative, with positive sums that differ by no more than rounding of this ulp."""
    mass_a, mass_b = jnp.sum(a), jnp.sum(b)
    rounding = 4 * (a.size + b.size) * ulp * mass_a
    agree = jnp.abs(mass_a - mass_b) <= rounding
    return jnp.all(a >= 0) & jnp.all(b >= 0) & (mass_a > 0) & (mass_b > 0) & agree


def _lagrangian(optimum: tuple[Array, Array, Array], data: tuple[Array, Array, Array]) -> Float[Array, ""]:
    """The cost plus potentials times what the marginals lack: its derivatives in the data are the plan, f and g."""
    (plan, f, g), (cost_matrix, a, b) = optimum, data
    slack = f @ (a - jnp.sum(plan, axis=1)) + g @ (b - jnp.sum(plan, axis=0))
    return jnp.sum(plan * cost_matrix) + slack


_value = dual.envelope(_lagrangian)


def _results(costs: Array) -> tuple[jax.ShapeDtypeStruct, ...]:
    """The shapes of what the host fills in: plan, f, g, the number of steps, and whether the search ended."""
    (n, m), dtype = costs.shape, costs.dtype
    numbers = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in ((n, m), (n,), (m,)))
    return *numbers, jax.ShapeDtypeStruct((), np.int32), jax.ShapeDtypeStruct((), np.bool_)


def _on_host(costs: Array, a: Array, b: Array) -> tuple[Array, ...]:
    filled = buffer_callback(_fill, _results(costs), vmap_method="broadcast_all")(costs, a, b)
    return vary_with(filled, costs, a, b)


def _through_host(costs: Array, a: Array, b: Array) -> tuple[Array, ...]:
    """The same where the buffers lie on an accelerator: they are copied."""

    def run(*data: Any) -> tuple[np.ndarray, ...]:
        batch = np.shape(data[0])[:-2]
        out = tuple(np.empty((*batch, *each.shape), each.dtype) for each in _results(costs))
        _fill(None, out, *data)
        return out

    filled = jax.pure_callback(run, _results(costs), costs, a, b, vmap_method="broadcast_all")
    return vary_with(filled, costs, a, b)


def _fill(_, out: Any, costs: Any, a: Any, b: Any) -> None:
    """Solve a stack of problems [..., n, m] on the host. Only numpy may be used here: the device waits."""
    costs, a, b = (np.asarray(value) for value in (costs, a, b))
    plan, f, g, num_steps, finished = (np.asarray(each) for each in out)
    for place in np.ndindex(costs.shape[:-2]):
        found = network_simplex(*(np.asarray(value[place], np.float64) for value in (costs, a, b)))
        plan[place], f[place], g[place] = found.plan, found.f, found.g
        num_steps[place], finished[place] = found.num_steps, found.finished
