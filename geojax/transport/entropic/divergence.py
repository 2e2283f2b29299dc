"""The Sinkhorn divergence: entropic transport made into a distance between point clouds."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core.struct import struct
from geojax.results import Status
from geojax.transport.costs import SquaredEuclidean, cost_matrix_of
from geojax.transport.entropic.sinkhorn import SinkhornResult, sinkhorn
from geojax.transport.measures import check_weights
from geojax.typing import Cost, Scalar

WORST_LAST = (Status.CONVERGED, Status.MAX_STEPS, Status.DIVERGED, Status.INFEASIBLE, Status.NONFINITE)


@struct
class DivergenceResult:
    """A Sinkhorn divergence, and how its three transport problems ended.

    `value` is in units of cost; `error` is the largest L1 error of the marginals, `num_steps` the largest number of
    steps and `status` the worst status among the three problems.
    """

    value: Float[Array, ""]
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
) -> DivergenceResult:
    """Sinkhorn divergence between two weighted point clouds.

    S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2,  where OT is the optimal value of `sinkhorn`. For costs such as
    |x - y|^p with 0 < p <= 2 it is nonnegative, zero only between equal measures, and convex in each; it tends to the
    exact transport cost as epsilon -> 0 and to a maximum mean discrepancy as epsilon grows.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [m, ...].
        a: Weights of x, [n], nonnegative. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        cost: cost(x_i, y_j) -> scalar, symmetric: `SquaredEuclidean()`, `Distance(space)` or a function.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach in each of the three problems.
        max_steps: Most steps of each of the three problems; static.

    Returns:
        DivergenceResult; `value` is the divergence, in units of cost. It is NaN if a problem is INFEASIBLE or
        NONFINITE. If a problem ends with MAX_STEPS its value is a lower bound of the optimum, and the divergence
        approximate.

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

    def solved(p: PyTree, q: PyTree, weights_p: Array | None, weights_q: Array | None) -> SinkhornResult:
        costs = cost_matrix_of(where, "cost", cost, p, q)
        return sinkhorn(costs, weights_p, weights_q, epsilon=epsilon, tol=tol, max_steps=max_steps)

    between, within_x, within_y = problems = solved(x, y, a, b), solved(x, x, a, a), solved(y, y, b, b)
    ranks = jnp.stack([_rank(problem.status) for problem in problems])
    status = jnp.asarray(WORST_LAST, jnp.int32)[jnp.max(ranks)]
    usable = (status == Status.CONVERGED) | (status == Status.MAX_STEPS)
    value = between.cost - (within_x.cost + within_y.cost) / 2
    return DivergenceResult(
        jnp.where(usable, value, jnp.nan),
        jnp.max(jnp.stack([problem.error for problem in problems])),
        jnp.max(jnp.stack([problem.num_steps for problem in problems])),
        status,
    )


def _rank(status: Int[Array, ""]) -> Int[Array, ""]:
    """The place of a status in the order from good to bad."""
    return jnp.argmax(jnp.asarray(WORST_LAST, jnp.int32) == status)
