"""Batch normalisation on matrix groups and on Bures-Wasserstein space."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.normalization.bures import bures_batch_norm, bures_batch_norm_eval
    from geojax.manifolds.normalization.groups import lie_batch_norm, lie_batch_norm_eval
    from geojax.manifolds.normalization.statistics import BatchNormResult, BatchNormState, frechet_variance

__all__ = [
    "BatchNormResult",
    "BatchNormState",
    "bures_batch_norm",
    "bures_batch_norm_eval",
    "frechet_variance",
    "lie_batch_norm",
    "lie_batch_norm_eval",
]

_DEFINED_IN = {
    "BatchNormResult": "geojax.manifolds.normalization.statistics",
    "BatchNormState": "geojax.manifolds.normalization.statistics",
    "bures_batch_norm": "geojax.manifolds.normalization.bures",
    "bures_batch_norm_eval": "geojax.manifolds.normalization.bures",
    "frechet_variance": "geojax.manifolds.normalization.statistics",
    "lie_batch_norm": "geojax.manifolds.normalization.groups",
    "lie_batch_norm_eval": "geojax.manifolds.normalization.groups",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
