"""Flags of barycentric subspaces that leave the least variance of a sample unexplained."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base import stacked
from geojax.manifolds.base.descent import coordinates, descend
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.units import unit_and_tol
from geojax.manifolds.products.power import Power
from geojax.manifolds.statistics.barycentric_subspaces import SubspacePoint, inverse_derivative, project_onto
from geojax.manifolds.statistics.mean import frechet_mean
from geojax.manifolds.statistics.tangent_pca import tangent_pca
from geojax.results import Status
from geojax.typing import PyTree, Scalar


@struct
class SubspaceAnalysis:
    """Reference points whose nested subspaces explain a sample, the first one alone, the first two, and so on.

    Attributes:
        references: The reference points, stacked on a leading axis of size k + 1.
        variances: Mean squared distance of the sample from the subspace of the first 1, 2, .. k + 1 references.
        error: Norm of the gradient of their sum, in parts of the largest distance of a point from the mean.
        num_steps: Gradients evaluated.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    references: Any
    variances: Float[Array, " k"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def accumulated_unexplained_variance(
    manifold: WithLog, references: PyTree, points: PyTree, *, tol: Scalar = 1e-6, max_steps: int = 50
) -> Float[Array, ""]:
    """Accumulated unexplained variance of a sample by the flag of subspaces of an ordered list of references.

    sum_j mean_i dist(y_i, P_j y_i)^2,  where P_j projects onto the barycentric subspace of the first j + 1 references.

    Args:
        manifold: The space.
        references: Reference points x_0 .. x_k, stacked on a leading axis; their order matters.
        points: The sample, stacked on a leading axis.
        tol: Length of a step of each projection to reach, as in `barycentric_subspace_project`.
        max_steps: Most steps of each projection; static.

    Returns:
        Scalar, in squared units of distance; NaN if a projection did not converge.

    Raises:
        ValueError: At trace time, if there is no reference or no point, or shapes disagree.
        TypeError: If the manifold is none, or has no logarithm.

    Differentiation: envelope, to first order, in references, points and the manifold's parameters.

    Complexity: (k + 1) n projections.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds import accumulated_unexplained_variance
        >>> x = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> float(accumulated_unexplained_variance(Euclidean(), x, jnp.array([[3.0, 4.0]])))
        41.0

    References: [Pennec2018], section 5.
    """
    where = "accumulated_unexplained_variance"
    max_steps = checks.count(where, "max_steps", max_steps)
    check_manifold(where, manifold, "log")
    references, _ = stacked.points_of(where, manifold, references, "references")
    points, _ = stacked.points_of(where, manifold, points)
    points = jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), points, references)
    return jnp.sum(_unexplained(manifold, references, points, tol, max_steps))


@functools.partial(jax.jit, static_argnames="max_steps")
def _unexplained(
    manifold: WithLog, references: PyTree, points: PyTree, tol: Scalar, max_steps: int
) -> Float[Array, " k"]:
    """The mean squared distance from each subspace of the flag."""
    num = jax.tree.leaves(references)[0].shape[0]
    used = jnp.arange(num) <= jnp.arange(num)[:, None]
    held = jax.lax.stop_gradient((manifold, references))

    def squared(used: Array, y: Any) -> Array:
        nearest = project_onto(*held, jax.lax.stop_gradient(y), used, tol, max_steps)
        state = SubspacePoint(nearest.point, nearest.weights)
        # At the optimum a change of the weights has no effect; the references move the subspace as the equation says.
        inverse = inverse_derivative(*held, state)
        flatten, unflatten, _ = coordinates(state.x)
        pull = flatten(manifold._mean_log(manifold._project(state.x), references, state.weights))
        moved = manifold._exp(manifold._project(state.x), unflatten(inverse @ pull))
        return jnp.where(nearest.status == Status.CONVERGED, manifold._squared_dist(moved, y), jnp.nan)

    return jnp.mean(jax.vmap(jax.vmap(squared, (None, 0)), (0, None))(used, points), axis=1)


@rounded_once
def barycentric_subspace_analysis(
    manifold: WithLog, points: PyTree, dimension: int, *, tol: Scalar = 1e-6, max_steps: int = 200
) -> SubspaceAnalysis:
    """References whose nested barycentric subspaces leave the least accumulated variance of a sample unexplained.

    Minimises  `accumulated_unexplained_variance`(x_0 .. x_k; sample)  over reference points anywhere on the manifold,
    from the Fréchet mean and points one standard deviation along its principal directions.

    Args:
        manifold: The space.
        points: The sample, stacked on a leading axis; more points than `dimension`.
        dimension: Dimension k of the largest subspace, static; at least 1, below that of the manifold or equal.
        tol: Norm of the gradient to reach, in parts of the largest distance of a point from the mean; or what rounding
            allows, if that is more.
        max_steps: Most gradients to evaluate; static.

    Returns:
        SubspaceAnalysis with k + 1 references. In flat space the subspaces are those of principal component analysis.

    Raises:
        ValueError: At trace time, if there is no point, or shapes disagree, or `dimension` is too large.
        TypeError: If the manifold is none, or has no logarithm.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the data hold a NaN, or have no variance in one of the directions.

    Differentiation: none: the references within a subspace are not determined; derivatives are zero.

    Complexity: (k + 1) n projections a step, of a few steps each.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds import barycentric_subspace_analysis
        >>> x = jnp.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> barycentric_subspace_analysis(Euclidean(), x, 1).variances.tolist()
        [5.0, 0.5]

    References: [Pennec2018].
    """
    where = "barycentric_subspace_analysis"
    dimension = checks.count(where, "dimension", dimension, minimum=1)
    max_steps = checks.count(where, "max_steps", max_steps)
    check_manifold(where, manifold, "log")
    points, num = stacked.points_of(where, manifold, points)
    most = min(num - 1, manifold._dimension(jax.tree.map(lambda leaf: leaf[0], points)))
    if dimension > most:
        raise ValueError(
            f"{where}: dimension is {dimension}; expected at most {most}, that of the manifold and of {num} points. "
            "Lower it."
        )
    return _analysis(*jax.lax.stop_gradient((manifold, points)), dimension, tol, max_steps)


@functools.partial(jax.jit, static_argnames=("dimension", "max_steps"))
def _analysis(
    manifold: WithLog, points: PyTree, dimension: int, tol: Scalar, max_steps: int
) -> SubspaceAnalysis:
    dtype = stacked.real_dtype(points)
    mean = frechet_mean(manifold, points, tol=tol).point
    inner_tol = jnp.asarray(tol, dtype) / 10
    unit, tol = unit_and_tol(manifold, mean, points, tol)
    components = tangent_pca(manifold, mean, points)
    lengths = jnp.sqrt(components.variances[:dimension])
    directions = jax.tree.map(lambda leaf: leaf[:dimension], components.directions)
    others = jax.vmap(lambda s, u: manifold._exp(mean, stacked.scaled(s, u)))(lengths, directions)
    start = jax.tree.map(lambda one, rest: jnp.concatenate([one[None], rest]), mean, others)

    def total(references: Any) -> Array:
        return jnp.sum(_unexplained(manifold, references, points, inner_tol, 50)) / 2

    power = Power(manifold)
    end = descend(
        power,
        lambda x: power._riemannian_gradient(x, jax.grad(total)(x)),
        start,
        length=1.0,
        unit=unit,
        tol=tol,
        max_steps=max_steps,
    )
    variances = _unexplained(manifold, end.state, points, inner_tol, 50)
    return SubspaceAnalysis(end.state, variances, end.error, end.num_steps, end.status)
