"""Curves on manifolds and frames along curves."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.curves.bishop_frames import bishop_frame
    from geojax.manifolds.curves.interpolation import bezier_curve

__all__ = [
    "bezier_curve",
    "bishop_frame",
]

_DEFINED_IN = {
    "bezier_curve": "geojax.manifolds.curves.interpolation",
    "bishop_frame": "geojax.manifolds.curves.bishop_frames",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
