"""Batches in the coordinates of the space behind a chart, so that a metric that is pulled back costs its chart once."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.struct import struct
from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.base.pullback import Pullback


@struct
class Charted:
    """A batch and some single points in the coordinates of the space behind all charts.

    Attributes:
        manifold: That space.
        points: The batch there, stacked.
        others: The single points there.
        ratio: What a squared distance there is multiplied by to give that of the first space.
    """

    manifold: WithTransport
    points: Any
    others: tuple[Any, ...]
    ratio: Any


def charted(manifold: WithTransport, points: Array, *others: Array) -> Charted:
    """Go through the charts until a space is no pullback."""
    ratio = jnp.ones((), points.dtype)
    while isinstance(manifold, Pullback):
        chart = jax.vmap(manifold._chart)(jnp.concatenate([points, *(other[None] for other in others)]))
        num = points.shape[0]
        points, others = chart[:num], tuple(chart[num:])
        ratio = ratio * manifold._ratio(points.dtype)
        manifold = manifold._base()
    return Charted(manifold, points, others, ratio)


def uncharted(manifold: WithTransport, points: Array) -> Array:
    """Go back through the charts of `charted`, for stacked points."""
    if not isinstance(manifold, Pullback):
        return points
    return jax.vmap(manifold._unchart)(uncharted(manifold._base(), points))
