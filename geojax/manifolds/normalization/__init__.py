"""Batch normalisation of points of a manifold."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.normalization.batches import (
        BatchNormResult,
        BatchNormState,
        batch_norm,
        batch_norm_eval,
    )
    from geojax.manifolds.normalization.variance import frechet_variance

__all__ = [
    "BatchNormResult",
    "BatchNormState",
    "batch_norm",
    "batch_norm_eval",
    "frechet_variance",
]

_DEFINED_IN = {
    "BatchNormResult": "geojax.manifolds.normalization.batches",
    "BatchNormState": "geojax.manifolds.normalization.batches",
    "batch_norm": "geojax.manifolds.normalization.batches",
    "batch_norm_eval": "geojax.manifolds.normalization.batches",
    "frechet_variance": "geojax.manifolds.normalization.variance",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
