"""What normalisations of batches of points share: their state, their statistics, and charts undone once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.struct import struct
from geojax.manifolds.base import stacked
from geojax.manifolds.base.manifold import Manifold
from geojax.manifolds.base.pullback import Pullback
from geojax.manifolds.statistics.mean import frechet_mean
from geojax.typing import Scalar

Points = Float[Array, "num *point"]
Point = Float[Array, "*point"]
Move = Callable[[Any, Array, Array, Array, Array], Array]
"""move(manifold, mean, bias, factor, x): x stretched by the factor about the mean, and the mean moved to the bias."""


@struct
class BatchNormState:
    """Running statistics of a normalisation.

    Attributes:
        mean: Running Fréchet mean, a point.
        variance: Running mean squared distance from the mean.
    """

    mean: Any
    variance: Any


@struct
class BatchNormResult:
    """A normalised batch, and how finding its mean ended.

    Attributes:
        points: The normalised points, stacked on the leading axis.
        state: The running statistics with this batch in them.
        error: Norm of the gradient left at the mean.
        num_steps: Steps taken to the mean.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    points: Points
    state: BatchNormState
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@struct
class Charted:
    """A batch and the points beside it in the coordinates of the space underneath all charts."""

    manifold: Manifold
    points: Any
    others: tuple[Any, ...]
    ratio: Any


def charted(manifold: Manifold, points: Array, *others: Array) -> Charted:
    """Undo charts until a space is no pullback; `ratio` is that of squared distances to those there."""
    ratio = jnp.ones((), points.dtype)
    while isinstance(manifold, Pullback):
        chart = jax.vmap(manifold._chart)(jnp.concatenate([points, *(other[None] for other in others)]))
        num = points.shape[0]
        points, others = chart[:num], tuple(chart[num:])
        ratio = ratio * manifold._ratio(points.dtype)
        manifold = manifold._base()
    return Charted(manifold, points, others, ratio)


def uncharted(manifold: Manifold, points: Array) -> Array:
    """The way back of `charted`, for stacked points."""
    if not isinstance(manifold, Pullback):
        return points
    return jax.vmap(manifold._unchart)(uncharted(manifold._base(), points))


def frechet_variance(manifold: Manifold, points: Points, center: Point) -> Float[Array, ""]:
    """Mean squared distance of points from a point, their Fréchet mean as a rule.

    v = sum_i dist(center, x_i)^2 / n.

    Args:
        manifold: The space; its metric parameters may be traced.
        points: Points stacked on a leading axis of size n.
        center: The point to measure from.

    Returns:
        Scalar >= 0, in squared units of distance.

    Raises:
        ValueError: At trace time, if shapes disagree or there is no point.

    Differentiation: exact, as that of the manifold's `squared_dist`.

    Complexity: n squared distances.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean
        >>> from geojax.manifolds.normalization import frechet_variance
        >>> float(frechet_variance(Euclidean(), jnp.array([1.0, 3.0]), jnp.array(2.0)))
        1.0

    References: [ChenLie2024].
    """
    points, center = checked("frechet_variance", manifold, points, center=center)
    squares = jax.vmap(lambda x: manifold._squared_dist(center, x))(points)
    return jnp.mean(squares)


def checked(where: str, manifold: Manifold, points: Array, **others: Array) -> tuple[Array, ...]:
    """Points and others of one floating dtype and of the shape of a point."""
    points, *rest = checks.floats(where, points=points, **others)
    points, _ = stacked.points_of(where, manifold, points)
    manifold._arrays(where, **{"each of points": points[0]}, **dict(zip(others, rest)))
    return points, *rest


def normalized(
    where: str,
    manifold: Manifold,
    points: Array,
    state: BatchNormState,
    bias: Array,
    scale: Scalar,
    momentum: Scalar,
    epsilon: Scalar,
    tol: Scalar,
    max_steps: int,
    move: Move,
) -> BatchNormResult:
    """Normalise by the batch's own statistics, and update the running ones; compiled as one program."""
    checks.count(where, "max_steps", max_steps)
    return _normalized(where, manifold, points, state, bias, scale, momentum, epsilon, tol, max_steps, move)


@functools.partial(jax.jit, static_argnames=("where", "max_steps", "move"))
def _normalized(where, manifold, points, state, bias, scale, momentum, epsilon, tol, max_steps, move):
    points, bias, state, scale, momentum, epsilon = _arguments(
        where, manifold, points, state, bias, scale, momentum, epsilon
    )
    base = charted(manifold, points, bias)
    mean = frechet_mean(base.manifold, base.points, tol=tol, max_steps=max_steps)
    squares = jax.vmap(lambda x: base.manifold._squared_dist(mean.point, x))(base.points)
    variance = base.ratio * jnp.mean(squares)
    moved = _moved(base, move, mean.point, base.others[0], scale, variance, epsilon)
    outputs = uncharted(manifold, moved)
    # The running mean follows the geodesic to the batch's, the variance the line.
    center = manifold._geodesic(state.mean, uncharted(manifold, mean.point[None])[0], momentum)
    after = BatchNormState(center, (1 - momentum) * state.variance + momentum * variance)
    return BatchNormResult(outputs, after, mean.error, mean.num_steps, mean.status)


@functools.partial(jax.jit, static_argnames=("where", "move"))
def evaluated(
    where: str,
    manifold: Manifold,
    points: Array,
    state: BatchNormState,
    bias: Array,
    scale: Scalar,
    epsilon: Scalar,
    move: Move,
) -> Array:
    """Normalise by running statistics."""
    points, bias, state, scale, _, epsilon = _arguments(
        where, manifold, points, state, bias, scale, 0.0, epsilon
    )
    base = charted(manifold, points, bias, state.mean)
    bias, mean = base.others
    return uncharted(manifold, _moved(base, move, mean, bias, scale, state.variance, epsilon))


def _moved(
    base: Charted, move: Move, mean: Array, bias: Array, scale: Any, variance: Any, epsilon: Any
) -> Array:
    factor = scale / jnp.sqrt(variance + epsilon)
    return jax.vmap(lambda x: move(base.manifold, mean, bias, factor, x))(base.points)


def _arguments(
    where: str,
    manifold: Manifold,
    points: Array,
    state: BatchNormState,
    bias: Array,
    scale: Scalar,
    momentum: Scalar,
    epsilon: Scalar,
) -> tuple[Any, ...]:
    scalars = {"state.variance": state.variance, "scale": scale, "momentum": momentum, "epsilon": epsilon}
    checks.shapes(where, **{name: (value, "") for name, value in scalars.items()})
    points, bias, mean = checked(where, manifold, points, **{"bias": bias, "state.mean": state.mean})
    variance, scale, momentum, epsilon = (jnp.asarray(value, points.dtype) for value in scalars.values())
    return points, bias, BatchNormState(mean, variance), scale, momentum, epsilon
