"""The dual of entropic transport: its value, its optimality conditions, and the derivatives of both.

maximise  <f, a> + <g, b> - epsilon sum_ij a_i b_j (exp((f_i + g_j - C_ij) / epsilon) - 1)

With the kernel K_ij = exp((f_i + g_j - C_ij) / epsilon) the maximum is at K b = 1, K^T a = 1; then P_ij = a_i b_j
K_ij.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax.results import Status

Vectors = tuple[Float[Array, " n"], Float[Array, " m"]]


def kernel(f: Array, g: Array, cost_matrix: Array, epsilon: Array) -> Float[Array, "n m"]:
    """K_ij = exp((f_i + g_j - C_ij) / epsilon); bounded, since it may overflow where both weights are zero."""
    cap = 0.5 * jnp.log(jnp.finfo(cost_matrix.dtype).max)
    return jnp.exp(jnp.minimum((f[:, None] + g - cost_matrix) / epsilon, cap))


def plan(f: Array, g: Array, cost_matrix: Array, a: Array, b: Array, epsilon: Array) -> Float[Array, "n m"]:
    """P_ij = a_i b_j K_ij."""
    return a[:, None] * kernel(f, g, cost_matrix, epsilon) * b


def softmin(costs: Array, weights: Array, epsilon: Array) -> Array:
    """-epsilon log sum_j weights_j exp(-costs_ij / epsilon); its derivative is finite at weights of zero."""
    low = jax.lax.stop_gradient(jnp.min(jnp.where(weights > 0, costs, jnp.inf), axis=1, keepdims=True))
    cap = 0.5 * jnp.log(jnp.finfo(costs.dtype).max)  # for columns of weight zero
    total = jnp.exp(jnp.minimum(-(costs - low) / epsilon, cap)) @ weights
    return low[:, 0] - epsilon * jnp.log(jnp.maximum(total, jnp.finfo(total.dtype).tiny))


@jax.custom_jvp
def value(f: Array, g: Array, cost_matrix: Array, a: Array, b: Array, epsilon: Array) -> Float[Array, ""]:
    """The dual value at potentials whose plan has mass sum(b), with its envelope derivative.

    At such potentials the last term of the dual vanishes. The derivative with respect to f and g is taken as zero, its
    value at the optimum. That with respect to the costs is the plan, once scaled to the marginals: what the potentials
    lost to rounding, many epsilons of costs far apart, does not reach the gradient.
    """
    del cost_matrix, epsilon
    return f @ a + g @ b


@value.defjvp
def _(primals, tangents):
    f, g, cost_matrix, a, b, epsilon = primals
    _, _, cost_dot, a_dot, b_dot, epsilon_dot = tangents
    coupling = _met(plan(f, g, cost_matrix, a, b, epsilon), a, b)
    divergence = jnp.sum(coupling * (f[:, None] + g - cost_matrix)) / epsilon
    change = jnp.sum(coupling * cost_dot) + f @ a_dot + g @ b_dot + divergence * epsilon_dot
    return value(*primals), change


def _met(coupling: Array, a: Array, b: Array) -> Float[Array, "n m"]:
    """The coupling with its columns scaled to b and then its rows to a."""
    columns = jnp.sum(coupling, axis=0)
    coupling = coupling * jnp.where(columns > 0, b / jnp.where(columns > 0, columns, 1), 1)
    rows = jnp.sum(coupling, axis=1, keepdims=True)
    return coupling * jnp.where(rows > 0, a[:, None] / jnp.where(rows > 0, rows, 1), 1)


@jax.custom_jvp
def solution(f: Array, g: Array, cost_matrix: Array, a: Array, b: Array, epsilon: Array) -> Vectors:
    """The optimal potentials f and g that a solver returned, with derivatives from the equations that they solve.

    Differentiating  K b = 1, K^T a = 1  at fixed epsilon gives, with Q_ij = K_ij b_j and S_ji = K_ij a_i, which are
    stochastic matrices,

        df + Q dg = r,   dg + S df = s,

    and so (I - S Q) dg = s - S r. This matrix is singular, since a constant may be added to g and taken from f; adding
    1 b^T / sum(b) to it selects one solution. Compare potentials only after fixing that constant, as `centred` does.
    """
    del cost_matrix, a, b, epsilon
    return f, g


@solution.defjvp
def _(primals, tangents):
    _, _, cost_matrix, a, b, epsilon = primals
    _, _, cost_dot, a_dot, b_dot, epsilon_dot = tangents
    f, g = solution(*primals)
    k = kernel(f, g, cost_matrix, epsilon)
    # The changes of f_i and of g_j that keep their own equation satisfied while only the data change.
    shift = cost_dot + (f[:, None] + g - cost_matrix) * (epsilon_dot / epsilon)
    r = (k * shift) @ b - epsilon * (k @ b_dot)
    s = a @ (k * shift) - epsilon * (a_dot @ k)
    g_dot = solve_chain(k, a, b, s - (a * r) @ k, jnp.zeros_like(epsilon))
    return (f, g), (r - k @ (b * g_dot), g_dot)


def solve_chain(k: Array, a: Array, b: Array, right: Array, shift: Array) -> Float[Array, " m"]:
    """Solve  (1 + shift) x - S Q x + (1 - shift) 1 <b, x> / sum(b) = right,  which leaves constants as they are.

    On columns with b > 0 the operator is symmetric and positive in the inner product weighted by b, so conjugate
    gradients apply. Columns of weight zero do not influence the others; their values are computed afterwards.
    """
    total = jnp.sum(b)

    def forward(x: Array) -> Array:
        return (1 + shift) * x - (a * (k @ (b * x))) @ k + (1 - shift) * (b @ x) / total

    def backward(y: Array) -> Array:
        return (1 + shift) * y - b * ((a * (k @ y)) @ k) + (1 - shift) * b * (jnp.sum(y) / total)

    positive = b > 0
    root = jnp.sqrt(jnp.where(positive, b, 1))

    def symmetric(z: Array) -> Array:
        return jnp.where(positive, root * forward(jnp.where(positive, z / root, 0)), z)

    def conjugate_gradients(rhs: Array) -> Array:
        tolerance = 10 * float(jnp.finfo(rhs.dtype).eps)
        return jax.scipy.sparse.linalg.cg(symmetric, rhs, tol=tolerance, maxiter=50 + 2 * rhs.size)[0]

    def solve(_, rhs: Array) -> Array:
        inside = jnp.where(positive, conjugate_gradients(jnp.where(positive, root * rhs, 0)) / root, 0)
        return jnp.where(positive, inside, (rhs - forward(inside)) / (1 + shift))

    def solve_transposed(_, rhs: Array) -> Array:
        outside = jnp.where(positive, 0, rhs) / (1 + shift)
        rest = rhs - backward(outside)
        return outside + jnp.where(
            positive, root * conjugate_gradients(jnp.where(positive, rest / root, 0)), 0
        )

    return jax.lax.custom_linear_solve(forward, right, solve, transpose_solve=solve_transposed)


def envelope(function: Callable[[Any, Any], Array]) -> Callable[[Any, Any], Array]:
    """The optimal value function(optimum, data); derivatives are those of the data alone."""

    @jax.custom_jvp
    def valued(optimum: Any, data: Any) -> Array:
        return function(optimum, data)

    @valued.defjvp
    def _(primals, tangents):
        (optimum, data), (_, data_dot) = primals, tangents
        return valued(optimum, data), jax.jvp(lambda d: function(optimum, d), (data,), (data_dot,))[1]

    return valued


def centred(f: Array, g: Array, a: Array) -> Vectors:
    """The same potentials with the constant chosen so that <f, a> = 0, a choice that is smooth in a."""
    mass = jnp.sum(a)
    mean = f @ a / jnp.where(mass > 0, mass, 1)
    return f - mean, g + mean


def feasible(a: Array, b: Array, epsilon: Array, tol: Array) -> Bool[Array, ""]:
    """Whether the weights are nonnegative with equal, positive sums, and epsilon is positive."""
    mass_a, mass_b = jnp.sum(a), jnp.sum(b)
    rounding = 4 * (a.size + b.size) * jnp.finfo(a.dtype).eps * mass_a
    same = jnp.abs(mass_a - mass_b) <= jnp.maximum(tol, rounding)
    return jnp.all(a >= 0) & jnp.all(b >= 0) & (mass_a > 0) & same & (epsilon > 0)


def judged(status: Array, is_feasible: Array, *data: Array) -> Array:
    """The status of a solve given its data: NONFINITE if they are not finite, INFEASIBLE if not feasible."""
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in data]))
    code = jnp.where(is_feasible, status, Status.INFEASIBLE)
    return jnp.where(finite, code, Status.NONFINITE).astype(jnp.int32)
