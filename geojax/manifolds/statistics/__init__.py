"""Statistics of points beyond means: barycentric subspaces, means modulo groups, prediction of labels."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.statistics.barycentric_subspaces import (
        SubspaceProjection,
        barycentric_subspace_project,
    )
    from geojax.manifolds.statistics.prediction import frechet_locus, frechet_predict, next_class
    from geojax.manifolds.statistics.quotient_mean import consistency_bias, quotient_frechet_mean
    from geojax.manifolds.statistics.subspace_analysis import (
        SubspaceAnalysis,
        accumulated_unexplained_variance,
        barycentric_subspace_analysis,
    )

__all__ = [
    "SubspaceAnalysis",
    "SubspaceProjection",
    "accumulated_unexplained_variance",
    "barycentric_subspace_analysis",
    "barycentric_subspace_project",
    "consistency_bias",
    "frechet_locus",
    "frechet_predict",
    "next_class",
    "quotient_frechet_mean",
]

_DEFINED_IN = {
    "SubspaceAnalysis": "geojax.manifolds.statistics.subspace_analysis",
    "SubspaceProjection": "geojax.manifolds.statistics.barycentric_subspaces",
    "accumulated_unexplained_variance": "geojax.manifolds.statistics.subspace_analysis",
    "barycentric_subspace_analysis": "geojax.manifolds.statistics.subspace_analysis",
    "barycentric_subspace_project": "geojax.manifolds.statistics.barycentric_subspaces",
    "consistency_bias": "geojax.manifolds.statistics.quotient_mean",
    "frechet_locus": "geojax.manifolds.statistics.prediction",
    "frechet_predict": "geojax.manifolds.statistics.prediction",
    "next_class": "geojax.manifolds.statistics.prediction",
    "quotient_frechet_mean": "geojax.manifolds.statistics.quotient_mean",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
