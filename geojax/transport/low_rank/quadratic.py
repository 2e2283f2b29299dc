"""Gromov-Wasserstein transport between clouds of very many points, by couplings of low rank."""

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
from geojax.typing import Key, Scalar


def low_rank_gromov_wasserstein(
    x: Float[Array, "n d"],
    y: Float[Array, "m e"],
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
    """Approximate Gromov-Wasserstein coupling of two clouds among couplings of low rank (a local optimum).

    Minimises sum_ijkl (X_ik - Y_jl)^2 P_ij P_kl - epsilon (H(q) + H(r) + H(g)) over couplings P = q diag(1 / g) r^T
    of a and b, where X and Y are the squared Euclidean distances within the clouds, q [n, rank] has the marginals a
    and g, r [m, rank] the marginals b and g, and H is the entropy. No array of all pairs is formed. The problem is
    not convex, and its error is not known beforehand. The solver is that of ott: mirror descent from random factors.

    Args:
        x: Points of the first space, [n, d].
        y: Points of the second space, [m, e]; its dimension may differ.
        a: Weights of x, [n], nonnegative. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        rank: Bound on the rank of the coupling, from 1 to the smaller of n and m; static.
        key: Random key of the factors to start from. Keep the result of least cost among several keys.
        epsilon: Strength of the entropies, >= 0, in units of length to the fourth power.
        tol: Error to reach, as in LowRankResult.
        max_steps: Most steps, rounded up to a multiple of ten; static.
        max_inner_steps: Most projections in one step; static.

    Returns:
        LowRankResult; `cost` is the distortion, the first sum above.

    Raises:
        ImportError: If ott-jax is not installed; it is the extra `geojax-transforms[ott]`.
        ValueError: At trace time, if the shapes disagree, a cloud is empty or the rank is out of range.
        TypeError: At trace time, if an argument is not real, or key not a typed key.

    Status: as `low_rank_sinkhorn`.

    Differentiation: `cost`: with the factors held fixed, in x and y. Others: none.

    Complexity: O((n + m) (rank + d + e)) memory, O((n + m) rank (d + e)) time per step, and O((n + m) rank) per
        projection.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import low_rank_gromov_wasserstein
        >>> x = jnp.array([[0.0], [0.1], [2.0], [2.1], [5.0], [5.1]])
        >>> r = low_rank_gromov_wasserstein(x, x[:, ::-1] + 7, rank=3, key=jax.random.key(0))
        >>> r.plan.shape, bool(jnp.allclose(r.apply(jnp.ones(6)), 1 / 6, atol=1e-3))
        ((6, 6), True)

    References: [Scetbon2022].
    """
    where = "low_rank_gromov_wasserstein"
    checks.typed_key(where, key)
    settings = options(where, rank, epsilon, tol, max_steps, max_inner_steps)
    x, y, a, b = clouds(where, x, y, a, b, rank)
    x, y = (points - jax.lax.stop_gradient(jnp.mean(points, axis=0)) for points in (x, y))
    held_x, held_y, held_a, held_b = jax.lax.stop_gradient((x, y, a, b))
    # ott's error depends on the unit of length; in this one the larger cloud has the mean square 1.
    unit = jnp.sqrt(jnp.maximum(*(jnp.mean(jnp.sum(z * z, axis=1)) for z in (held_x, held_y))))
    unit = jnp.where(unit > 0, unit, 1)
    settings["epsilon"] = settings["epsilon"] / unit**4
    point_cloud = ott_module(where, "geometry.pointcloud").PointCloud
    problem = ott_module(where, "problems.quadratic.quadratic_problem").QuadraticProblem(
        *(point_cloud(unless_all_zero(z / unit)) for z in (held_x, held_y)), a=held_a, b=held_b
    )
    end = ott_module(where, "solvers.quadratic.gromov_wasserstein_lr").LRGromovWasserstein(**settings)(
        problem, rng=key
    )

    def cost(q: Array, r: Array, g: Array) -> Array:
        (left_x, right_x), (left_y, right_y) = _distance_factors(x), _distance_factors(y)

        def through_plan(u: Array, v: Array) -> Array:
            """The matrix u^T P v."""
            return ((u.T @ q) / g) @ (r.T @ v)

        def own(left: Array, right: Array, weights: Array) -> Array:
            """The weighted sum of the squares of all distances within a cloud."""
            return jnp.sum((left.T @ (weights[:, None] * left)) * (right.T @ (weights[:, None] * right)))

        cross = jnp.sum(through_plan(left_x, left_y) * through_plan(right_x, right_y))
        return own(left_x, right_x, jnp.sum(q, axis=1)) + own(left_y, right_y, jnp.sum(r, axis=1)) - 2 * cross

    return result_of(end, cost, held_a, held_b, epsilon, tol, held_x, held_y)


def _distance_factors(x: Float[Array, "n d"]) -> tuple[Float[Array, "n c"], Float[Array, "n c"]]:
    """Factors left and right of the squared distances within a cloud, left right^T."""
    squares, ones = jnp.sum(x * x, axis=1, keepdims=True), jnp.ones_like(x[:, :1])
    return jnp.concatenate([squares, ones, -2 * x], axis=1), jnp.concatenate([ones, squares, x], axis=1)
