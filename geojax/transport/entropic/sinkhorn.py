"""Entropic optimal transport between discrete measures by Sinkhorn's algorithm."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax.transport.entropic import dual
from geojax.transport.entropic.scaling import scaling
from geojax.typing import Scalar


@struct
class SinkhornResult:
    """Potentials of an entropic transport problem, with the problem they belong to.

    `f` [n] and `g` [m] are in units of cost, in the gauge <f, a> = 0; `cost` is the optimal value; `error`
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
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    *,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
    start_epsilon: Scalar | None = None,
) -> SinkhornResult:
    """Entropic optimal transport between two discrete measures.

    Minimises  <P, C> + epsilon sum_ij P_ij log(P_ij / (a_i b_j))  over couplings P of a and b. The solution is
    P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon); f and g are found by scaling rows and columns in turn.

    Args:
        cost_matrix: Ground costs, [n, m], finite, any sign.
        a: Weights of the rows, [n], nonnegative; zeros are allowed.
        b: Weights of the columns, [m], nonnegative, of the same sum as a (1 for probability measures).
        epsilon: Strength of the entropy, > 0, in units of cost. The number of steps grows like max(C) / epsilon.
        tol: L1 error of the marginals to reach.
        max_steps: Most row and column scalings; static.
        init: Potentials (f, g) to start from, such as those of a nearby problem; only g is used.
        start_epsilon: Where given, start with this larger epsilon and halve it every 25 steps down to epsilon.

    Returns:
        SinkhornResult. `cost` is the minimum above, evaluated by duality as <f, a> + <g, b>: a lower bound of the
        minimum, tight at convergence. The potential at a point of weight zero is the one that optimality
        extends to it.

    Raises:
        ValueError: At trace time, if the shapes disagree or a measure is empty.
        TypeError: At trace time, if an argument is not real.

    Status: CONVERGED; MAX_STEPS, also before max_steps where rounding keeps the error above tol (within a thousand
        ulp of the mass); INFEASIBLE where a weight is negative, the sums differ by more than tol, or epsilon
        is not positive; NONFINITE where the data hold a NaN or an infinity.

    Differentiation: `cost`: envelope (its gradient by the costs is the plan). `f`, `g`, `plan`: implicit in
        cost_matrix, a, b and epsilon. Others: none. Gradients by a and b are meant along changes that keep the sum.

    Complexity: O(n m) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sinkhorn
        >>> C = jnp.array([[0.0, 1.0], [1.0, 0.0]])
        >>> result = sinkhorn(C, jnp.array([0.5, 0.5]), jnp.array([0.5, 0.5]), epsilon=0.5)
        >>> [[round(float(mass), 2) for mass in row] for row in result.plan]
        [[0.44, 0.06], [0.06, 0.44]]

    References: [Cuturi2013]; [Schmitzer2019]; [Feydy2019].
    """
    cost_matrix, a, b = problem("sinkhorn", cost_matrix, a, b)
    dtype = cost_matrix.dtype
    data = cost_matrix, a, b, jnp.asarray(epsilon, dtype), jnp.asarray(tol, dtype)
    # On a mesh the loops want everything to vary as the most varying does.
    data = vary_with(data, *data, init, start_epsilon)
    start = None if init is None else start_potential("sinkhorn", init, data[0])
    first = None if start_epsilon is None else jnp.asarray(start_epsilon, dtype)
    return _solve(*data, start, first, max_steps=checks.count("sinkhorn", "max_steps", max_steps))


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
    """The whole of it, compiled once a shape, also when called eagerly."""
    fixed = jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    start, first = jax.lax.stop_gradient((g, start_epsilon))
    found = scaling(*fixed, start, tol=tol, max_steps=max_steps, start_epsilon=first)
    return conclude(found, cost_matrix, a, b, epsilon, tol)


def problem(where: str, cost_matrix: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Check the data of a transport problem and give them one floating dtype."""
    cost_matrix, a, b = checks.floats(where, cost_matrix=cost_matrix, a=a, b=b)
    size = checks.shapes(where, cost_matrix=(cost_matrix, "n m"), a=(a, "n"), b=(b, "m"))
    if size["n"] == 0 or size["m"] == 0:
        raise ValueError(
            f"{where}: cost_matrix has shape {list(cost_matrix.shape)}; expected at least one row and one column. "
            "An empty measure has no coupling; leave the problem out."
        )
    return cost_matrix, a, b


def start_potential(where: str, init: tuple[Array, Array], cost_matrix: Array) -> Float[Array, " m"]:
    """Check the potentials to start from and return the second; the first follows from it."""
    f, g = init
    checks.shapes(where, cost_matrix=(cost_matrix, "n m"), init_f=(f, "n"), init_g=(g, "m"))
    return vary_with(jnp.asarray(g, cost_matrix.dtype), cost_matrix)


def conclude(found, cost_matrix: Array, a: Array, b: Array, epsilon: Array, tol: Array) -> SinkhornResult:
    """Attach derivatives, value and verdict to the potentials that a solver found."""
    f, g = dual.solution(*jax.lax.stop_gradient(found.state), cost_matrix, a, b, epsilon)
    f, g = dual.centred(f, g, a)
    error = jax.lax.stop_gradient(found.error)
    status = dual.judged(
        found.status, dual.feasible(a, b, epsilon, tol), *jax.lax.stop_gradient((cost_matrix, a, b, epsilon))
    )
    value = dual.value(f, g, cost_matrix, a, b, epsilon)
    return SinkhornResult(f, g, value, cost_matrix, a, b, epsilon, error, found.num_steps, status)
