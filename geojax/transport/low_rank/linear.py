"""Optimal transport between clouds of very many points, by couplings of low rank."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.transport.low_rank.factors import (
    LowRankResult,
    clouds,
    options,
    ott_module,
    result_of,
    unless_all_zero,
)
from geojax.transport.measures import check_same_space
from geojax.typing import Key, Scalar


def low_rank_sinkhorn(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    rank: int,
    key: Key,
    epsilon: Scalar = 0.0,
    tol: Scalar = 1e-3,
    max_steps: int = 2000,
    max_inner_steps: int = 1000,
) -> LowRankResult:
    """Approximate optimal transport for squared Euclidean costs among couplings of low rank (a local optimum).

    Minimises  <P, C> - epsilon (H(q) + H(r) + H(g))  over couplings P = q diag(1 / g) r^T of a and b, where C_ij is
    |x_i - y_j|^2, q [n, rank] has the marginals a and g, r [m, rank] the marginals b and g, and H is the entropy. No
    n x m array is formed. The cost is an upper bound of the transport cost and decreases to it as the rank grows; how
    far it lies above is not known beforehand. The solver is that of ott: mirror descent from random factors.

    Args:
        x: Points, [n, d].
        y: Points, [m, d].
        a: Weights of x, [n], nonnegative. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        rank: Bound on the rank of the coupling, from 1 to the smaller of n and m; static.
        key: Random key of the factors to start from. Keep the result of least cost among several keys.
        epsilon: Strength of the entropies, >= 0, in units of squared length.
        tol: Error to reach, as in LowRankResult.
        max_steps: Most steps, rounded up to a multiple of ten; static.
        max_inner_steps: Most projections in one step; static.

    Returns:
        LowRankResult; `.apply(v)` is the product of the coupling with v.

    Raises:
        ImportError: If ott-jax is not installed; it is the extra `geojax-transforms[ott]`.
        ValueError: At trace time, if the shapes disagree, a cloud is empty or the rank is out of range.
        TypeError: At trace time, if an argument is not real, or key not a typed key.

    Status: CONVERGED, MAX_STEPS; INFEASIBLE if a weight is negative, the sums differ by more than tol, or epsilon is
        negative; NONFINITE if the data or the result hold a NaN or an infinity.

    Differentiation: `cost`: with the factors held fixed, in x and y; for epsilon = 0 that is the envelope gradient.
        Others: none.

    Complexity: O((n + m) rank d) memory and time per step, and O((n + m) rank) per projection.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import low_rank_sinkhorn
        >>> x = jnp.array([[0.0, 0.0], [0.0, 1.0], [9.0, 0.0], [9.0, 1.0]])
        >>> r = low_rank_sinkhorn(x, x + 1, rank=2, key=jax.random.key(0))
        >>> r.plan.shape, bool(jnp.allclose(r.apply(jnp.ones(4)), 0.25, atol=1e-3))
        ((4, 4), True)

    References: [Scetbon2021].
    """
    where = "low_rank_sinkhorn"
    checks.typed_key(where, key)
    settings = options(where, rank, epsilon, tol, max_steps, max_inner_steps)
    x, y, a, b = clouds(where, x, y, a, b, rank)
    check_same_space(where, x=x, y=y)
    centre = jax.lax.stop_gradient(jnp.mean(y, axis=0))
    x, y = x - centre, y - centre
    held_x, held_y, held_a, held_b = jax.lax.stop_gradient((x, y, a, b))
    geometry = ott_module(where, "geometry.pointcloud").PointCloud(
        *jnp.split(unless_all_zero(jnp.concatenate([held_x, held_y])), [len(held_x)])
    )
    problem = ott_module(where, "problems.linear.linear_problem").LinearProblem(geometry, held_a, held_b)
    end = ott_module(where, "solvers.linear.sinkhorn_lr").LRSinkhorn(**settings)(problem, rng=key)

    def cost(q: Array, r: Array, g: Array) -> Array:
        squares = jnp.sum(q, axis=1) @ jnp.sum(x * x, axis=1) + jnp.sum(r, axis=1) @ jnp.sum(y * y, axis=1)
        return squares - 2 * jnp.sum((x.T @ q) / g * (y.T @ r))

    return result_of(end, cost, held_a, held_b, epsilon, tol, held_x, held_y)
