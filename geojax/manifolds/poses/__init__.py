"""Poses: rotations and rigid motions fitted to points, images and subspaces."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.groups.rigid_motions import se3_exp, se3_log
    from geojax.manifolds.poses.gauss_newton import PoseResult, se3_gauss_newton
    from geojax.manifolds.poses.moment_registration import (
        RigidMotion,
        sampling_equalizer,
        ume_contrastive_loss,
        ume_matrix,
        ume_register,
        ume_subspace_distance,
    )
    from geojax.manifolds.poses.rotations import (
        Similarity,
        forward_kinematics,
        pa_mpjpe,
        procrustes_align,
        so3_from_6d,
        so3_geodesic,
    )

__all__ = [
    "PoseResult",
    "RigidMotion",
    "Similarity",
    "forward_kinematics",
    "pa_mpjpe",
    "procrustes_align",
    "sampling_equalizer",
    "se3_exp",
    "se3_gauss_newton",
    "se3_log",
    "so3_from_6d",
    "so3_geodesic",
    "ume_contrastive_loss",
    "ume_matrix",
    "ume_register",
    "ume_subspace_distance",
]

_DEFINED_IN = {
    "PoseResult": "geojax.manifolds.poses.gauss_newton",
    "RigidMotion": "geojax.manifolds.poses.moment_registration",
    "Similarity": "geojax.manifolds.poses.rotations",
    "forward_kinematics": "geojax.manifolds.poses.rotations",
    "pa_mpjpe": "geojax.manifolds.poses.rotations",
    "procrustes_align": "geojax.manifolds.poses.rotations",
    "sampling_equalizer": "geojax.manifolds.poses.moment_registration",
    "se3_exp": "geojax.manifolds.groups.rigid_motions",
    "se3_gauss_newton": "geojax.manifolds.poses.gauss_newton",
    "se3_log": "geojax.manifolds.groups.rigid_motions",
    "so3_from_6d": "geojax.manifolds.poses.rotations",
    "so3_geodesic": "geojax.manifolds.poses.rotations",
    "ume_contrastive_loss": "geojax.manifolds.poses.moment_registration",
    "ume_matrix": "geojax.manifolds.poses.moment_registration",
    "ume_register": "geojax.manifolds.poses.moment_registration",
    "ume_subspace_distance": "geojax.manifolds.poses.moment_registration",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
