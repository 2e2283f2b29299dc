"""Equivariant functions: tests of equivariance, symmetrisation, frames, invariants and layers."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.equivariant.frames.energies import by_energy
    from geojax.equivariant.frames.finite import sampled, whole_group
    from geojax.equivariant.frames.matrix_groups import lift_to_group, orbit_distance
    from geojax.equivariant.frames.orders import sort_frame
    from geojax.equivariant.frames.orthonormal_vectors import gram_schmidt_frame
    from geojax.equivariant.frames.parts import piecewise
    from geojax.equivariant.frames.principal_axes import pca_frame
    from geojax.equivariant.transforms.errors import ErrorResult, equivariance_error
    from geojax.equivariant.transforms.frame_averages import symmetrize

__all__ = [
    "ErrorResult",
    "by_energy",
    "equivariance_error",
    "gram_schmidt_frame",
    "lift_to_group",
    "orbit_distance",
    "pca_frame",
    "piecewise",
    "sampled",
    "sort_frame",
    "symmetrize",
    "whole_group",
]

_DEFINED_IN = {
    "ErrorResult": "geojax.equivariant.transforms.errors",
    "by_energy": "geojax.equivariant.frames.energies",
    "equivariance_error": "geojax.equivariant.transforms.errors",
    "gram_schmidt_frame": "geojax.equivariant.frames.orthonormal_vectors",
    "lift_to_group": "geojax.equivariant.frames.matrix_groups",
    "orbit_distance": "geojax.equivariant.frames.matrix_groups",
    "pca_frame": "geojax.equivariant.frames.principal_axes",
    "piecewise": "geojax.equivariant.frames.parts",
    "sampled": "geojax.equivariant.frames.finite",
    "sort_frame": "geojax.equivariant.frames.orders",
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
    from geojax.equivariant.points.position_orientation import (
        position_orientation_conv,
        position_orientation_init,
        position_orientation_invariants,
    )
    from geojax.equivariant.tensors.spheres import gaunt_product, real_spherical_harmonics

__all__ = [
    "egnn_init",
    "egnn_layer",
    "gaunt_product",
    "position_orientation_conv",
    "position_orientation_init",
    "position_orientation_invariants",
    "real_spherical_harmonics",
]

_DEFINED_IN = {
    "egnn_init": "geojax.equivariant.points.egnn",
    "egnn_layer": "geojax.equivariant.points.egnn",
    "gaunt_product": "geojax.equivariant.tensors.spheres",
    "position_orientation_conv": "geojax.equivariant.points.position_orientation",
    "position_orientation_init": "geojax.equivariant.points.position_orientation",
    "position_orientation_invariants": "geojax.equivariant.points.position_orientation",
    "real_spherical_harmonics": "geojax.equivariant.tensors.spheres",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
