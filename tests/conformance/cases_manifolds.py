"""Cases of the manifolds; each family of spaces has a module of its own, gathered here."""

from geojax.manifolds import Euclidean, Sphere
from tests.conformance import (
    manifolds_algorithms,
    manifolds_curved,
    manifolds_flags,
    manifolds_groups,
    manifolds_kernels,
    manifolds_matrices,
    manifolds_meshes,
    manifolds_poses,
    manifolds_shapes,
    manifolds_spd,
    manifolds_spectral,
    manifolds_subspaces,
)
from tests.conformance.manifold_case import case

CASES = [
    case(Euclidean(), (3,)),
    case(Sphere(), (4,)),
    *manifolds_algorithms.CASES,
    *manifolds_flags.CASES,
    *manifolds_groups.CASES,
    *manifolds_matrices.CASES,
    *manifolds_poses.CASES,
    *manifolds_spd.CASES,
    *manifolds_curved.CASES,
    *manifolds_subspaces.CASES,
    *manifolds_kernels.CASES,
    *manifolds_shapes.CASES,
    *manifolds_spectral.CASES,
    *manifolds_meshes.CASES,
]

DATA = {
    "LogResult": "what log_with_info returns",
    "Manifold": "the base class, whose operations the spaces fill in",
    **manifolds_algorithms.DATA,
    **manifolds_flags.DATA,
    **manifolds_groups.DATA,
    **manifolds_poses.DATA,
    **manifolds_spd.DATA,
    **manifolds_subspaces.DATA,
    **manifolds_kernels.DATA,
    **manifolds_shapes.DATA,
    **manifolds_spectral.DATA,
    **manifolds_meshes.DATA,
}
