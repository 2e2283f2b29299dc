"""Surfaces: functional maps, Laplacians of meshes, sparse matching, distances to triangles."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.meshes.functional_maps import (
        FunctionalMapResult,
        fmap_to_pointwise,
        functional_map,
        regularized_functional_map,
        score_distillation_grad,
        zoomout,
    )
    from geojax.manifolds.meshes.mesh_laplacians import (
        MeshLaplacian,
        cotan_laplacian,
        deformation_energy,
        orientation_penalty,
        projected_laplacian,
    )
    from geojax.manifolds.meshes.sparse_matching import SparseMatch, match_sparse
    from geojax.manifolds.meshes.triangle_distance import TriangleDistance, point_triangle_udf

__all__ = [
    "FunctionalMapResult",
    "MeshLaplacian",
    "SparseMatch",
    "TriangleDistance",
    "cotan_laplacian",
    "deformation_energy",
    "fmap_to_pointwise",
    "functional_map",
    "match_sparse",
    "orientation_penalty",
    "point_triangle_udf",
    "projected_laplacian",
    "regularized_functional_map",
    "score_distillation_grad",
    "zoomout",
]

_DEFINED_IN = {
    "FunctionalMapResult": "geojax.manifolds.meshes.functional_maps",
    "MeshLaplacian": "geojax.manifolds.meshes.mesh_laplacians",
    "SparseMatch": "geojax.manifolds.meshes.sparse_matching",
    "TriangleDistance": "geojax.manifolds.meshes.triangle_distance",
    "cotan_laplacian": "geojax.manifolds.meshes.mesh_laplacians",
    "deformation_energy": "geojax.manifolds.meshes.mesh_laplacians",
    "fmap_to_pointwise": "geojax.manifolds.meshes.functional_maps",
    "functional_map": "geojax.manifolds.meshes.functional_maps",
    "match_sparse": "geojax.manifolds.meshes.sparse_matching",
    "orientation_penalty": "geojax.manifolds.meshes.mesh_laplacians",
    "point_triangle_udf": "geojax.manifolds.meshes.triangle_distance",
    "projected_laplacian": "geojax.manifolds.meshes.mesh_laplacians",
    "regularized_functional_map": "geojax.manifolds.meshes.functional_maps",
    "score_distillation_grad": "geojax.manifolds.meshes.functional_maps",
    "zoomout": "geojax.manifolds.meshes.functional_maps",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
