"""Equivariant functions: tests of equivariance, symmetrisation, frames, invariants and layers."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.equivariant.frames.finite import sampled, whole_group
    from geojax.equivariant.frames.principal_axes import pca_frame
    from geojax.equivariant.transforms.errors import ErrorResult, equivariance_error
    from geojax.equivariant.transforms.frame_averages import symmetrize

__all__ = [
    "ErrorResult",
    "equivariance_error",
    "pca_frame",
    "sampled",
    "symmetrize",
    "whole_group",
]

_DEFINED_IN = {
    "ErrorResult": "geojax.equivariant.transforms.errors",
    "equivariance_error": "geojax.equivariant.transforms.errors",
    "pca_frame": "geojax.equivariant.frames.principal_axes",
    "sampled": "geojax.equivariant.frames.finite",
    "symmetrize": "geojax.equivariant.transforms.frame_averages",
    "whole_group": "geojax.equivariant.frames.finite",
    from geojax.equivariant.transforms.group_average import reynolds
    from geojax.equivariant.transforms.lie_algebra import LieResult, lie_equivariance

__all__ = [
    "LieResult",
    "lie_equivariance",
    "reynolds",
]

_DEFINED_IN = {
    "LieResult": "geojax.equivariant.transforms.lie_algebra",
    "lie_equivariance": "geojax.equivariant.transforms.lie_algebra",
    "reynolds": "geojax.equivariant.transforms.group_average",
    from geojax.equivariant.points.egnn import egnn_init, egnn_layer

__all__ = [
    "egnn_init",
    "egnn_layer",
]

_DEFINED_IN = {
    "egnn_init": "geojax.equivariant.points.egnn",
    "egnn_layer": "geojax.equivariant.points.egnn",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
