"""Barycentric subspaces: the points that are weighted means of a few reference points, and projections onto them.

x is in the subspace of references x_0 .. x_k if  sum_i l_i log_x(x_i) = 0  for weights l of sum 1, some perhaps
negative. From any x, Newton's step for that equation with new weights m is  v(m) = H^-1 sum_i m_i log_x(x_i),  H the
covariant derivative of -sum_i l_i log_x(x_i); the m near l for which v(m) comes closest to log_x(y) solve a linear
least squares problem, and a step is exp_x(v(m)). In flat space one step is the projection on the affine span.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base import stacked
from geojax.manifolds.base.descent import coordinates, stationary
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.euclidean import Euclidean
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.units import unit_and_tol
from geojax.manifolds.products.product import Product
from geojax.manifolds.statistics.mean import ambient_mean
from geojax.typing import PyTree, Scalar


@struct
class SubspaceProjection:
    """The nearest point of a barycentric subspace to a given point.

    Attributes:
        point: The projection.
        weights: Its barycentric coordinates, [k + 1], of sum 1; some may be negative.
        error: Length of the last step, in parts of the largest distance from the start to y or a reference.
        num_steps: Steps taken.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    point: Any
    weights: Float[Array, " k"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class SubspacePoint(NamedTuple):
    """A point and the weights with which it is a mean of the references, up to a factor, once converged."""

    x: Any
    weights: Float[Array, " k"]


class _Walk(NamedTuple):
    state: SubspacePoint
    last: Any
    share: Float[Array, ""]


@rounded_once
def barycentric_subspace_project(
    manifold: WithLog, references: PyTree, y: PyTree, *, tol: Scalar = 1e-6, max_steps: int = 50
) -> SubspaceProjection:
    """Nearest point to y among the weighted means of reference points.

    Minimises  dist(x, y)  over the x for which  sum_i l_i log_x(x_i) = 0  with weights l of sum 1.

    Args:
        manifold: The space.
        references: Reference points x_0 .. x_k in general position, stacked on a leading axis of size k + 1, at most
            the dimension of the manifold + 1.
        y: The point to project.
        tol: Length of a step to reach, in parts of the largest distance from the start to y or a reference; or what
            rounding allows, if that is more.
        max_steps: Most steps; static.

    Returns:
        SubspaceProjection. In flat space the subspace is the affine span, on the sphere the great subsphere through
        the references (the result is a stationary point on their side of it), in hyperbolic space the totally geodesic
        subspace.

    Raises:
        ValueError: At trace time, if there is no reference, or shapes disagree.
        TypeError: If the manifold is none, or has no logarithm.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the data hold a NaN, or references are not in general position.

    Differentiation: `point` and `weights`: implicit, in references, y and the manifold's parameters.

    Complexity: a step costs as many derivatives of k + 1 logarithms as a point has coordinates.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds import barycentric_subspace_project
        >>> line = jnp.array([[0.0, 0.0], [2.0, 0.0]])
        >>> projection = barycentric_subspace_project(Euclidean(), line, jnp.array([3.0, 1.0]))
        >>> [round(x, 4) for x in projection.weights.tolist()]
        [-0.5, 1.5]

    References: [Pennec2018].
    """
    where = "barycentric_subspace_project"
    check_manifold(where, manifold, "log")
    checks.no_explicit_axes(where, references, y)
    return _projected(manifold, references, y, tol, checks.count(where, "max_steps", max_steps))


@functools.partial(jax.jit, static_argnames="max_steps")
def _projected(
    manifold: WithLog, references: PyTree, y: PyTree, tol: Scalar, max_steps: int
) -> SubspaceProjection:
    where = "barycentric_subspace_project"
    references, num = stacked.points_of(where, manifold, references, "references")
    (y,) = stacked.like_points(where, manifold, references, y=y)
    used = jnp.ones(num, bool)
    theta = manifold, references, y
    nearest = project_onto(*jax.lax.stop_gradient(theta), used, tol, max_steps)

    def residual(state: tuple[Any, Array], theta: Any) -> tuple[Any, Array]:
        x, weights = state
        space, references, y = theta
        held = jnp.ones_like(weights)
        step, following = _newton(space, references, y, used, SubspacePoint(x, weights), held)
        return step, following - weights + (1 - jnp.sum(weights)) * weights

    point, weights = stationary(
        lambda theta: Product((theta[0], Euclidean())), residual, (nearest.point, nearest.weights), theta
    )
    return SubspaceProjection(point, weights, nearest.error, nearest.num_steps, nearest.status)


def project_onto(
    manifold: WithLog, references: PyTree, y: PyTree, used: Bool[Array, " k"], tol: Scalar, max_steps: int
) -> SubspaceProjection:
    """Project onto the subspace of those references that are used."""

    def step(walk: _Walk) -> tuple[_Walk, Array]:
        state = walk.state
        total, size = jnp.sum(state.weights), jnp.sum(jnp.abs(state.weights))
        # The sum of the weights is kept, as in flat space, unless it is near 0.
        held = jnp.where(jnp.abs(total) > 0.2 * size, used.astype(dtype), state.weights)
        v, weights = _newton(manifold, references, y, used, state, held)
        size = manifold._norm(state.x, v)
        # Far apart in hyperbolic space whole steps overshoot and go to and fro: then they are halved.
        back = manifold._inner(state.x, manifold._to_tangent(state.x, walk.last), v)
        strong = -back > manifold._inner(state.x, v, v) / 2
        share = jnp.where(strong, walk.share / 2, walk.share)
        # No further than the references or y are: beyond that the linearised subspace is not accurate.
        logs = stacked.logs(manifold, state.x, references)
        reach = jnp.max(jax.vmap(lambda u: manifold._norm(state.x, u))(logs))
        reach = jnp.maximum(reach, manifold._dist(state.x, y))
        part = share * jnp.where(size > reach, reach / size, 1)
        # Rounding moves x off the manifold, and weights that are large and of both signs magnify that.
        x = manifold._project(manifold._exp(state.x, stacked.scaled(part, v)))
        mixed = state.weights + part * (weights - state.weights)
        return _Walk(SubspacePoint(x, mixed / jnp.linalg.norm(mixed)), v, share), size / unit

    dtype = stacked.real_dtype(references)
    equal = used.astype(dtype) / jnp.sum(used).astype(dtype)
    start = ambient_mean(manifold, references, equal)
    seen = jax.tree.map(lambda one, all_: jnp.concatenate([one[None], all_]), y, references)
    unit, tol = unit_and_tol(manifold, start, seen, tol)
    walk = _Walk(SubspacePoint(start, equal), jax.tree.map(jnp.zeros_like, start), jnp.ones((), dtype))
    end = iterate(step, vary_with(walk, (manifold, references, y)), tol=tol, max_steps=max_steps)
    x, weights = end.state.state
    weights = weights / jnp.sum(weights)
    return SubspaceProjection(x, weights, end.error, end.num_steps, end.status)


def _newton(
    manifold: WithLog, references: PyTree, y: PyTree, used: Array, state: SubspacePoint, held: Array
) -> tuple[Any, Float[Array, " k"]]:
    """The step to the nearest point to y of the linearised subspace, and its weights.

    The equation determines the weights up to a factor; their change is kept orthogonal to `held`.
    """
    x, weights = state
    columns = _columns(manifold, references, state)
    normal = held / jnp.linalg.norm(held)
    free = jnp.diag(used.astype(weights.dtype)) - jnp.outer(normal, normal)
    edges = jax.vmap(lambda row: stacked.combination(row, columns))(free)
    behind = stacked.combination(weights, columns)
    target = jax.tree.map(jnp.subtract, manifold._log(x, y), behind)
    inner = jax.vmap(lambda u, v: manifold._inner(x, u, v), (None, 0))
    gram = jax.vmap(inner, (0, None))(edges, edges)
    # The normal and the unused references are directions in which nothing may change.
    idle = jnp.eye(used.size, dtype=gram.dtype) - free
    size = jnp.where(jnp.trace(gram) > 0, jnp.trace(gram), 1)
    change = free @ jnp.linalg.solve(gram + size * idle, inner(target, edges))
    step = jax.tree.map(jnp.add, behind, stacked.combination(change, columns))
    return step, weights + change


def _columns(manifold: WithLog, references: PyTree, state: SubspacePoint) -> Any:
    """H^-1 log_x(x_i) for every reference."""
    x, _ = state
    flatten, unflatten, _ = coordinates(x)
    inverse = inverse_derivative(manifold, references, state)
    logs = stacked.logs(manifold, x, references)
    return jax.vmap(unflatten)(jax.vmap(flatten)(logs) @ inverse.T)


def inverse_derivative(manifold: WithLog, references: PyTree, state: SubspacePoint) -> Float[Array, "d d"]:
    """H^-1 on the tangent space at x and the identity off it, as a matrix over flat coordinates."""
    x, weights = state
    flatten, unflatten, size = coordinates(x)

    def pull(flat: Array) -> Array:
        v = unflatten(flat)
        tangent = manifold._to_tangent(x, v)
        sum_of_logs = manifold._mean_log(manifold._exp(x, tangent), references, -weights)
        back = manifold._to_tangent(x, sum_of_logs)
        return flatten(jax.tree.map(lambda a, b, c: a + b - c, back, v, tangent))

    derivative = jax.jacfwd(pull)(jnp.zeros(size, weights.dtype))
    return jnp.linalg.inv(derivative)
