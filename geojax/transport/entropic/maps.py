"""Maps from couplings: where a point of the sample goes, and where a new point goes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from geojax._core import checks
from geojax.transport.costs import SquaredEuclidean, cost_matrix_of
from geojax.transport.entropic import dual
from geojax.transport.measures import arrays, number, uniform
from geojax.typing import Cost, Scalar


def barycentric_map(plan: Float[Array, "n m"], y: Float[Array, "m ..."]) -> Float[Array, "n ..."]:
    """Mean of the targets that a coupling sends each source to.

    T_i = sum_j P_ij y_j / sum_j P_ij,  the map of least mean squared distance from the targets.

    Args:
        plan: Coupling, [n, m], nonnegative; exact, entropic or partial.
        y: Targets, [m, ...].

    Returns:
        Images of the sources, [n, ...], in units of y; NaN for a source without mass.

    Raises:
        ValueError: At trace time, if the sizes disagree.

    Differentiation: exact, in the plan too (implicit if it comes from `sinkhorn`).

    Complexity: O(n m d).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import barycentric_map
        >>> barycentric_map(jnp.array([[0.2, 0.2], [0.0, 0.6]]), jnp.array([1.0, 3.0])).tolist()
        [2.0, 3.0]

    References: [Ferradans2014].
    """
    plan, y = arrays("barycentric_map", plan=plan, y=y)
    checks.shapes("barycentric_map", plan=(plan, "n m"), y=(y, " ".join(["m"] + ["_"] * (y.ndim - 1))))
    shares = plan / jnp.sum(plan, axis=1, keepdims=True)
    return jnp.tensordot(shares, y, axes=1)


def entropic_map(
    x: PyTree,
    y: Float[Array, "m ..."],
    g: Float[Array, " m"],
    b: Float[Array, " m"] | None = None,
    *,
    cost: Cost = SquaredEuclidean(),
    epsilon: Scalar,
) -> Float[Array, "..."]:
    """Where an entropic coupling sends a point, which need not belong to the sample.

    T(x) = sum_j s_j y_j  with  s_j proportional to b_j exp((g_j - cost(x, y_j)) / epsilon),  where g is the potential
    from `sinkhorn` or `point_cloud_sinkhorn`. At a point of the sample it equals `barycentric_map`; for squared
    distances and epsilon -> 0 it estimates the optimal map.

    Args:
        x: One point, as `cost` takes it; use jax.vmap over many.
        y: Targets, [m, ...].
        g: Potential of the targets, [m], in units of cost.
        b: Weights of the targets, [m], nonnegative. By default 1 / m each.
        cost: cost(x, y_j) -> scalar, the one that g was computed with.
        epsilon: Strength of the entropy that g was computed with, > 0, in units of cost.

    Returns:
        The image, [...], one point like those of y. NaN if no target has weight.

    Raises:
        ValueError: At trace time, if the sizes disagree.
        TypeError: At trace time, if an argument is not real.

    Differentiation: exact in x, y, g, b and epsilon; implicit in the data of `sinkhorn` if g comes from it.

    Complexity: O(m) costs.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import entropic_map, sinkhorn
        >>> x = jnp.linspace(0.0, 1.0, 50)
        >>> y = 2 * x + 1
        >>> r = sinkhorn((x[:, None] - y) ** 2, epsilon=0.02)
        >>> round(float(entropic_map(jnp.asarray(0.333), y, r.g, epsilon=0.02)), 2)
        1.67

    References: [Pooladian2021].
    """
    where = "entropic_map"
    y, g = arrays(where, y=y, g=g)
    if b is None:
        b = uniform(g.size, g.dtype)
    y, g, b = arrays(where, y=y, g=g, b=b)
    checks.shapes(where, g=(g, "m"), b=(b, "m"), y=(y, " ".join(["m"] + ["_"] * (y.ndim - 1))))
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], x)
    costs = cost_matrix_of(where, "cost", cost, one, y)[0].astype(g.dtype)
    strength = number(where, "epsilon", epsilon, g.dtype)
    # The row potential at x makes the exponentials sum to one.
    f = dual.softmin((costs - g)[None], b, strength)
    shares = dual.kernel(f, g, costs[None], strength)[0] * b
    return jnp.tensordot(shares / jnp.sum(shares), y, axes=1)
