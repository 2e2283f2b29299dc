"""The Fréchet mean: the point with the least weighted sum of squared distances."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base import stacked
from geojax.manifolds.base.descent import descend, stationary
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.units import unit_and_tol
from geojax.results import Status
from geojax.typing import PyTree, Scalar


@struct
class MeanResult:
    """A mean or median, and how its iteration ended.

    Attributes:
        point: The mean or median.
        error: Norm of the Riemannian gradient there, in parts of the largest distance from the start to a point; for a
            median, of the smallest subgradient; for a quotient, the change of the last round.
        num_steps: Gradients evaluated.
        status: CONVERGED, MAX_STEPS, NONFINITE or INFEASIBLE.
    """

    point: Any
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def frechet_mean(
    manifold: WithLog,
    points: PyTree,
    weights: Float[Array, " n"] | None = None,
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
) -> MeanResult:
    """Weighted Fréchet mean of points on a manifold.

    Minimises  sum_i w_i dist(x, x_i)^2 / (2 sum_i w_i),  whose gradient is  -sum_i w_i log_x(x_i) / sum_i w_i.

    Args:
        manifold: The space; its metric parameters may be traced.
        points: Points stacked on a leading axis of size n (of each leaf, if points are trees), or a list of points.
        weights: Weights, [n], nonnegative, of positive sum; equal if left out.
        tol: Norm of the gradient to reach, in parts of the largest distance from the start to a point; or what rounding
            allows, if that is more.
        max_steps: Most gradients to evaluate; static.

    Returns:
        MeanResult. If the points lie within a ball in which the mean is unique (any ball if curvature is nowhere
        positive; one of radius pi / 2 on the unit sphere), it is that one; otherwise a stationary point.

    Raises:
        ValueError: At trace time, if there is no point, or shapes disagree.
        TypeError: If the manifold is none, or has no logarithm.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the data hold a NaN or an infinity; INFEASIBLE if a weight is
        negative or none is positive.

    Differentiation: `point`: implicit, in points, weights and the manifold's parameters.

    Complexity: n logarithms a step, about 5 to 10 steps to rounding. The start is the projected ambient mean.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere, frechet_mean
        >>> [round(x, 4) for x in frechet_mean(Sphere(), jnp.eye(2)).point.tolist()]
        [0.7071, 0.7071]

    References: [Karcher1977]; [Afsari2011] for uniqueness; [BarzilaiBorwein1988] for the steps.
    """
    check_manifold("frechet_mean", manifold, "log")
    checks.no_explicit_axes("frechet_mean", points)
    return _mean(manifold, points, weights, tol, checks.count("frechet_mean", "max_steps", max_steps))


@functools.partial(jax.jit, static_argnames="max_steps")
def _mean(
    manifold: WithLog, points: PyTree, weights: Array | None, tol: Scalar, max_steps: int
) -> MeanResult:
    points, num = stacked.points_of("frechet_mean", manifold, points)
    weights = stacked.weights_of("frechet_mean", weights, num, stacked.real_dtype(points))
    theta = manifold, points, weights
    held, fixed, shares = jax.lax.stop_gradient((manifold, points, weights / jnp.sum(weights)))
    start = _off_cut_loci(held, ambient_mean(held, fixed, shares), fixed, shares)
    unit, tol = unit_and_tol(held, start, fixed, tol)
    end = descend(
        held, lambda x: _gradient(x, held, fixed, shares), start, unit=unit, tol=tol, max_steps=max_steps
    )

    def gradient(x: Any, theta: Any) -> Any:
        manifold, points, weights = theta
        return _gradient(x, manifold, points, weights / jnp.sum(weights))

    point = stationary(lambda theta: theta[0], gradient, end.state, theta)
    status = judged(end.status, weights)
    return MeanResult(point, end.error, end.num_steps, status)


def _gradient(x: PyTree, manifold: WithLog, points: PyTree, shares: Array) -> Any:
    return manifold._mean_log(x, points, -shares)


def ambient_mean(manifold: WithLog, points: PyTree, shares: Array) -> Any:
    """The mean of the coordinates, projected onto the manifold; the heaviest point if that has no projection."""
    start = manifold._project(stacked.combination(shares, points))
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(start)]))
    heaviest = jax.tree.map(lambda leaf: leaf[jnp.argmax(shares)], points)
    return stacked.chosen(finite, start, heaviest)


def _off_cut_loci(manifold: WithLog, x: PyTree, points: PyTree, shares: Array) -> Any:
    """The start x, or a point aside of it if x is on the cut locus of one of the points.

    No mean is there, but gradients may vanish there, as they do at either of two antipodal points.
    """
    if type(manifold)._unique is WithLog._unique:  # there are no cut loci
        return x
    unique = jax.vmap(lambda point: manifold._unique(x, point))(points)
    apart = jax.vmap(lambda point: manifold._dist(x, point))(points)
    rng = np.random.default_rng(0)
    ambient = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), x)
    aside = manifold._to_tangent(x, ambient)
    length = 0.2 * jnp.max(apart) / manifold._norm(x, aside)
    return stacked.chosen(jnp.all(unique | (shares <= 0)), x, manifold._exp(x, stacked.scaled(length, aside)))


def judged(status: Int[Array, ""], weights: Float[Array, " n"]) -> Int[Array, ""]:
    """The status, or INFEASIBLE if a finite weight is negative or none is positive."""
    bad = jnp.any(weights < 0) | (jnp.sum(weights) <= 0)
    return jnp.where(bad & jnp.all(jnp.isfinite(weights)), Status.INFEASIBLE, status).astype(jnp.int32)
