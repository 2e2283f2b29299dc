"""Merging: several models made one, paths between them and the barriers on those paths."""

from geojax.merging.alignment_report import AlignmentReport as AlignmentReport
from geojax.merging.alignment_report import alignment_report as alignment_report
from geojax.merging.average import average as average
from geojax.merging.connectivity import BarrierResult as BarrierResult
from geojax.merging.connectivity import barrier as barrier
from geojax.merging.connectivity import interpolate as interpolate
from geojax.merging.feature_connectivity import feature_connectivity as feature_connectivity
from geojax.merging.plane import PlaneResult as PlaneResult
from geojax.merging.plane import plane as plane
from geojax.merging.repair import repair as repair

__all__ = [
    "AlignmentReport",
    "BarrierResult",
    "PlaneResult",
    "alignment_report",
    "average",
    "barrier",
    "feature_connectivity",
    "interpolate",
    "plane",
    "repair",
]
