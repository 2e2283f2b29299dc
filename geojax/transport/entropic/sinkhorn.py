"""Entropic optimal transport between discrete measures by Sinkhorn's algorithm."""

import functools

import jax
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import Iteration, vary_with
from geojax._core.struct import struct
from geojax.transport.entropic import dual
from geojax.transport.entropic.scaling import scaling
from geojax.transport.measures import matrix_problem, number, potential_of
from geojax.typing import Scalar


@struct
class SinkhornResult:
    """Potentials of an entropic transport problem, with the problem they belong to.

    `f` [n] and `g` [m] are in units of cost, normalised so that <f, a> = 0; `cost` is the optimal value; `error`
    is the L1 error of the marginals, in units of weight.
    """

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    cost: Float[Array, ""]
    cost_matrix: Float[Array, "n m"]
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    epsilon: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]

    @property
    def plan(self) -> Float[Array, "n m"]:
        """The coupling P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon), [n, m]."""
        return dual.plan(self.f, self.g, self.cost_matrix, self.a, self.b, self.epsilon)


def sinkhorn(
    cost_matrix: Float[Array, "n m"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
    start_epsilon: Scalar | None = None,
) -> SinkhornResult:
    """Entropic optimal transport between two discrete measures.

    Minimises  <P, C> + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over couplings P of a and b. The solution is
    P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon); the rows and columns are scaled in turn until f and g
    converge.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative; zeros are allowed. By default 1 / n each.
        b: Weights of the columns, [m], nonnegative, with the same sum as a. By default 1 / m each.
        epsilon: Strength of the entropy, > 0, in units of cost. The number of steps grows like max(C) / epsilon.
        tol: L1 error of the marginals to reach. Where rounding allows less, what it allows counts: some ulp of the
            mass times the size of the potentials over epsilon, at most the root of an ulp.
        max_steps: Most row and column scalings; static.
        init: Potentials (f, g) to start from, such as those of a nearby problem; only g is used.
        start_epsilon: If given, the iteration starts with this larger epsilon and halves it every 25 steps until it
            reaches epsilon.

    Returns:
        SinkhornResult. `cost` is the minimum above, evaluated by duality as <f, a> + <g, b>: a lower bound of the
        minimum, equal to it at convergence. Points of weight zero have potentials too: those that the optimality
        conditions give.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED; MAX_STEPS; INFEASIBLE if a weight is negative, the sums differ by more than tol, or epsilon is
        not positive; NONFINITE if the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope (its gradient with respect to the costs is the plan). `f`, `g`, `plan`: implicit
        in cost_matrix, a, b and epsilon. Others: none. a and b may change only so that their sums stay fixed; the
        gradient is defined for such changes.

    Complexity: O(n m) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sinkhorn
        >>> C = jnp.array([[0.0, 1.0], [1.0, 0.0]])
        >>> result = sinkhorn(C, epsilon=0.5)
        >>> [[round(float(mass), 2) for mass in row] for row in result.plan]
        [[0.44, 0.06], [0.06, 0.44]]

    References: [Cuturi2013]; [Schmitzer2019]; [Feydy2019].
    """
    where = "sinkhorn"
    cost_matrix, a, b = matrix_problem(where, cost_matrix, a, b)
    dtype = cost_matrix.dtype
    data = cost_matrix, a, b, number(where, "epsilon", epsilon, dtype), number(where, "tol", tol, dtype)
    start = None if init is None else potential_of(where, init, cost_matrix.shape, dtype)
    first = None if start_epsilon is None else number(where, "start_epsilon", start_epsilon, dtype)
    # Inside shard_map a loop's carry must vary over every mesh axis over which any of the data vary.
    data = vary_with(data, data, start, first)
    start = None if start is None else vary_with(start, data)
    return _solve(*data, start, first, max_steps=checks.count(where, "max_steps", max_steps))


@functools.partial(jax.jit, static_argnames="max_steps")
def _solve(
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
    """The whole computation, compiled once for each shape, so that eager calls are fast too."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    start, first = jax.lax.stop_gradient((g, start_epsilon))
    end = scaling(*fixed, start, tol=tol, max_steps=max_steps, start_epsilon=first)
    return result_of(end, cost_matrix, a, b, epsilon, tol)


def result_of(
    end: Iteration, cost_matrix: Array, a: Array, b: Array, epsilon: Array, tol: Array
) -> SinkhornResult:
    """The result of a solver that ended at the potentials (f, g), with derivatives, value and status."""
    f, g = dual.solution(*jax.lax.stop_gradient(end.state), cost_matrix, a, b, epsilon)
    f, g = dual.centred(f, g, a)
    error = jax.lax.stop_gradient(end.error)
    status = dual.judged(
        end.status, dual.feasible(a, b, epsilon, tol), *jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    )
    value = dual.value(f, g, cost_matrix, a, b, epsilon)
    return SinkhornResult(f, g, value, cost_matrix, a, b, epsilon, error, end.num_steps, status)
