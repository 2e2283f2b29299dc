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
    from geojax.equivariant.frames.spectra import laplacian_frame
    from geojax.equivariant.invariants.colours import geometric_hash
    from geojax.equivariant.invariants.lattices import lattice_exp, lattice_log
    from geojax.equivariant.invariants.scaling_coordinates import mds_coordinates
    from geojax.equivariant.invariants.symmetric_polynomials import power_sums
    from geojax.equivariant.points.egnn import egnn_init, egnn_layer
    from geojax.equivariant.points.point_sets import (
        ball_query,
        interpolate_features,
        set_abstraction,
        set_abstraction_init,
    )
    from geojax.equivariant.points.position_orientation import (
        position_orientation_conv,
        position_orientation_init,
        position_orientation_invariants,
    )
    from geojax.equivariant.signals.resampling import bandlimited_resample
    from geojax.equivariant.signals.spectral_groups import (
        lift_field,
        project_field,
        spectral_group_conv,
        spectral_group_init,
    )
    from geojax.equivariant.tensors.elasticity import from_mandel, harmonic_split, mandel
    from geojax.equivariant.tensors.multivectors import (
        geometric_attention,
        geometric_attention_init,
        geometric_product,
    )
    from geojax.equivariant.tensors.spheres import gaunt_product, real_spherical_harmonics
    from geojax.equivariant.transforms.errors import ErrorResult, equivariance_error
    from geojax.equivariant.transforms.frame_averages import symmetrize
    from geojax.equivariant.transforms.group_average import reynolds
    from geojax.equivariant.transforms.latent_matrices import joint_blocks, latent_action
    from geojax.equivariant.transforms.lie_algebra import LieResult, lie_equivariance

__all__ = [
    "ErrorResult",
    "LieResult",
    "ball_query",
    "bandlimited_resample",
    "by_energy",
    "egnn_init",
    "egnn_layer",
    "equivariance_error",
    "from_mandel",
    "gaunt_product",
    "geometric_attention",
    "geometric_attention_init",
    "geometric_hash",
    "geometric_product",
    "gram_schmidt_frame",
    "harmonic_split",
    "interpolate_features",
    "joint_blocks",
    "laplacian_frame",
    "latent_action",
    "lattice_exp",
    "lattice_log",
    "lie_equivariance",
    "lift_field",
    "lift_to_group",
    "mandel",
    "mds_coordinates",
    "orbit_distance",
    "pca_frame",
    "piecewise",
    "position_orientation_conv",
    "position_orientation_init",
    "position_orientation_invariants",
    "power_sums",
    "project_field",
    "real_spherical_harmonics",
    "reynolds",
    "sampled",
    "set_abstraction",
    "set_abstraction_init",
    "sort_frame",
    "spectral_group_conv",
    "spectral_group_init",
    "symmetrize",
    "whole_group",
]

_DEFINED_IN = {
    "ErrorResult": "geojax.equivariant.transforms.errors",
    "LieResult": "geojax.equivariant.transforms.lie_algebra",
    "ball_query": "geojax.equivariant.points.point_sets",
    "bandlimited_resample": "geojax.equivariant.signals.resampling",
    "by_energy": "geojax.equivariant.frames.energies",
    "egnn_init": "geojax.equivariant.points.egnn",
    "egnn_layer": "geojax.equivariant.points.egnn",
    "equivariance_error": "geojax.equivariant.transforms.errors",
    "from_mandel": "geojax.equivariant.tensors.elasticity",
    "gaunt_product": "geojax.equivariant.tensors.spheres",
    "geometric_attention": "geojax.equivariant.tensors.multivectors",
    "geometric_attention_init": "geojax.equivariant.tensors.multivectors",
    "geometric_hash": "geojax.equivariant.invariants.colours",
    "geometric_product": "geojax.equivariant.tensors.multivectors",
    "gram_schmidt_frame": "geojax.equivariant.frames.orthonormal_vectors",
    "harmonic_split": "geojax.equivariant.tensors.elasticity",
    "interpolate_features": "geojax.equivariant.points.point_sets",
    "joint_blocks": "geojax.equivariant.transforms.latent_matrices",
    "laplacian_frame": "geojax.equivariant.frames.spectra",
    "latent_action": "geojax.equivariant.transforms.latent_matrices",
    "lattice_exp": "geojax.equivariant.invariants.lattices",
    "lattice_log": "geojax.equivariant.invariants.lattices",
    "lie_equivariance": "geojax.equivariant.transforms.lie_algebra",
    "lift_field": "geojax.equivariant.signals.spectral_groups",
    "lift_to_group": "geojax.equivariant.frames.matrix_groups",
    "mandel": "geojax.equivariant.tensors.elasticity",
    "mds_coordinates": "geojax.equivariant.invariants.scaling_coordinates",
    "orbit_distance": "geojax.equivariant.frames.matrix_groups",
    "pca_frame": "geojax.equivariant.frames.principal_axes",
    "piecewise": "geojax.equivariant.frames.parts",
    "position_orientation_conv": "geojax.equivariant.points.position_orientation",
    "position_orientation_init": "geojax.equivariant.points.position_orientation",
    "position_orientation_invariants": "geojax.equivariant.points.position_orientation",
    "power_sums": "geojax.equivariant.invariants.symmetric_polynomials",
    "project_field": "geojax.equivariant.signals.spectral_groups",
    "real_spherical_harmonics": "geojax.equivariant.tensors.spheres",
    "reynolds": "geojax.equivariant.transforms.group_average",
    "sampled": "geojax.equivariant.frames.finite",
    "set_abstraction": "geojax.equivariant.points.point_sets",
    "set_abstraction_init": "geojax.equivariant.points.point_sets",
    "sort_frame": "geojax.equivariant.frames.orders",
    "spectral_group_conv": "geojax.equivariant.signals.spectral_groups",
    "spectral_group_init": "geojax.equivariant.signals.spectral_groups",
    "symmetrize": "geojax.equivariant.transforms.frame_averages",
    "whole_group": "geojax.equivariant.frames.finite",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
