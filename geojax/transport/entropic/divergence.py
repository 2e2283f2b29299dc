"""The Sinkhorn divergence: entropic transport made into a distance between point clouds."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from geojax.results import Status
from geojax.transport.entropic.sinkhorn import sinkhorn
from geojax.typing import Cost, Scalar


def sinkhorn_divergence(
    x: PyTree[Float[Array, "n ..."]],
    y: PyTree[Float[Array, "m ..."]],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    *,
    cost: Cost,
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
) -> Float[Array, ""]:
    """Sinkhorn divergence between two weighted point clouds.

    S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2,  where OT is the optimal value of `sinkhorn`. For costs such as
    |x - y|^p with 0 < p <= 2 it is nonnegative, zero only between equal measures, and convex in each; it tends to the
    exact transport cost as epsilon -> 0 and to a maximum mean discrepancy as epsilon grows.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [m, ...].
        a: Weights of x, [n], nonnegative.
        b: Weights of y, [m], nonnegative, of the same sum as a.
        cost: cost(x_i, y_j) -> scalar; symmetric and smooth where gradients are wanted.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach in each of the three problems.
        max_steps: Most steps of each of the three problems; static.

    Returns:
        Scalar in units of cost. NaN where a problem is INFEASIBLE or NONFINITE (see `sinkhorn`). Where max_steps is too
        small the three values are lower bounds of their optima and their combination is approximate.

    Raises:
        ValueError: At trace time, if the sizes disagree or a measure is empty.

    Differentiation: envelope in x, y, a, b, epsilon and in what `cost` closes over. Gradients by a and b are meant
        along changes that keep the sum.

    Complexity: O((n + m)^2) memory and time per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import sinkhorn_divergence
        >>> x, w = jnp.array([[0.0], [1.0]]), jnp.array([0.5, 0.5])
        >>> square = lambda p, q: jnp.sum((p - q) ** 2)
        >>> float(sinkhorn_divergence(x, x + 2, w, w, cost=square, epsilon=0.5).round(3))
        4.0

    References: [Feydy2019].
    """

    def value(p: PyTree, q: PyTree, weights_p: Array, weights_q: Array) -> tuple[Array, Array]:
        costs = jax.vmap(lambda u: jax.vmap(lambda v: cost(u, v))(q))(p)
        result = sinkhorn(costs, weights_p, weights_q, epsilon=epsilon, tol=tol, max_steps=max_steps)
        return result.cost, (result.status == Status.CONVERGED) | (result.status == Status.MAX_STEPS)

    between, known = value(x, y, a, b)
    within_x, known_x = value(x, x, a, a)
    within_y, known_y = value(y, y, b, b)
    return jnp.where(known & known_x & known_y, between - (within_x + within_y) / 2, jnp.nan)
