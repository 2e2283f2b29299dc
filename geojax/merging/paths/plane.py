"""The loss on the plane through three models."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe, tree
from geojax._core.struct import struct
from geojax.merging.leaves import callable_first, is_merged, merged_only, same_model, scalar_loss, wide
from geojax.typing import Params, Scalar

__all__ = ["PlaneResult", "plane"]


@struct
class PlaneResult:
    """A loss on a grid of the plane through three models, in units of the Euclidean distance of weights.

    `values[i, j]` is the loss at (`x[j]`, `y[i]`); the rows of `corners` are the positions of the three models.
    """

    x: Float[Array, " n"]
    y: Float[Array, " n"]
    values: Float[Array, "n n"]
    corners: Float[Array, "3 2"]


def plane(
    loss: Callable[[Params], Array],
    params_a: Params,
    params_b: Params,
    params_c: Params,
    *,
    num: int = 21,
    margin: Scalar = 0.2,
) -> PlaneResult:
    """The loss on a grid of the plane through three models.

    theta(x, y) = a + x u + y v,  with u and v orthonormal, u along b - a, and c in the upper half plane: a is at (0, 0)
    and b at (|b - a|, 0). Only leaves of real or complex numbers vary; the others are those of a.

    Args:
        loss: loss(params), a scalar.
        params_a: The model at the origin, any pytree.
        params_b: The model on the x axis, a tree like params_a.
        params_c: The third model, a tree like params_a.
        num: Number of points along each axis, at least 2; static.
        margin: How far the grid extends beyond the triangle, as a share of the triangle's extent.

    Returns:
        PlaneResult. If the models lie on one line, the grid has no height and all rows are the same.

    Raises:
        ValueError: If the trees differ in structure or shapes, the loss is not a scalar, or num < 2.
        TypeError: If leaves differ in dtype.

    Differentiation: exact if the models do not lie on one line.
    Complexity: num^2 evaluations of the loss, one after another, in the memory of one.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import plane
        >>> a, b, c = jnp.zeros(3), jnp.array([2.0, 0.0, 0.0]), jnp.array([1.0, 1.0, 0.0])
        >>> grid = plane(lambda p: jnp.sum(p**2), a, b, c, num=3, margin=0.0)
        >>> grid.values.tolist(), grid.corners.tolist()
        ([[0.0, 1.0, 4.0], [0.25, 1.25, 4.25], [1.0, 2.0, 5.0]], [[0.0, 0.0], [2.0, 0.0], [1.0, 1.0]])

    References: [Garipov2018].
    """
    callable_first("plane", "loss", loss, "params_a, params_b, params_c")
    same_model("plane", "params_b", params_b, "params_a", params_a)
    same_model("plane", "params_c", params_c, "params_a", params_a)
    num = checks.count("plane", "num", num, minimum=2)
    origin, right, up = (_wide(params) for params in (params_a, params_b, params_c))
    along, across = (jax.tree.map(jnp.subtract, end, origin) for end in (right, up))
    width = safe.sqrt(tree.squared_norm(along))
    along = _scaled(along, width)
    shift = jnp.real(tree.dot(along, across))
    across = jax.tree.map(lambda c, u: c - shift * u, across, along)
    height = safe.sqrt(tree.squared_norm(across))
    across = _scaled(across, height)
    zero = jnp.zeros_like(width)
    corners = jnp.stack([jnp.stack(place) for place in ((zero, zero), (width, zero), (shift, height))])

    def at(x: Array, y: Array) -> Array:
        moved = iter(jax.tree.leaves(jax.tree.map(lambda o, u, v: o + x * u + y * v, origin, along, across)))
        point = jax.tree.map(
            lambda a: next(moved).astype(jnp.result_type(a)) if is_merged(a) else a, params_a
        )
        value = loss(point)
        return scalar_loss("plane", value)

    low, high = jnp.min(corners, axis=0), jnp.max(corners, axis=0)
    beyond = jnp.asarray(margin, corners.dtype) * (high - low)
    steps = jnp.linspace(0, 1, num, dtype=corners.dtype)[:, None]
    grid = low - beyond + steps * (high - low + 2 * beyond)
    x, y = grid[:, 0], grid[:, 1]
    values = jax.lax.map(lambda v: jax.lax.map(lambda u: at(u, v), x), y)
    return PlaneResult(x, y, values, corners)


def _wide(params: Params) -> Params:
    """The leaves that vary, in at least single precision."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, wide(jnp.result_type(leaf))), merged_only(params))


def _scaled(direction: Params, length: Array) -> Params:
    divisor = jnp.where(length > 0, length, 1)
    return jax.tree.map(lambda leaf: leaf / divisor, direction)
