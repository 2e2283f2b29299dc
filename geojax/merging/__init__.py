"""Merging: several models made one, paths between them and the barriers on those paths."""

from geojax.merging.average import average as average
from geojax.merging.connectivity import BarrierResult as BarrierResult
from geojax.merging.connectivity import barrier as barrier
from geojax.merging.connectivity import interpolate as interpolate
from geojax.merging.repair import repair as repair

__all__ = ["BarrierResult", "average", "barrier", "interpolate", "repair"]
