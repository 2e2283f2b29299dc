"""Orthonormal frames beyond the spaces themselves: weighted flags, Householder vectors, subspaces as classes."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds.frames.class_subspaces import grassmann_logits
    from geojax.manifolds.frames.flagfolds import (
        WeightedFlag,
        embed_subspace,
        flag_from_covariance,
        flag_geodesic,
        flagfold_kernel,
        stratified_metric,
    )
    from geojax.manifolds.frames.householder import (
        householder_low_rank,
        householder_orthogonal,
        nearest_orthogonal,
    )

__all__ = [
    "WeightedFlag",
    "embed_subspace",
    "flag_from_covariance",
    "flag_geodesic",
    "flagfold_kernel",
    "grassmann_logits",
    "householder_low_rank",
    "householder_orthogonal",
    "nearest_orthogonal",
    "stratified_metric",
]

_DEFINED_IN = {
    "WeightedFlag": "geojax.manifolds.frames.flagfolds",
    "embed_subspace": "geojax.manifolds.frames.flagfolds",
    "flag_from_covariance": "geojax.manifolds.frames.flagfolds",
    "flag_geodesic": "geojax.manifolds.frames.flagfolds",
    "flagfold_kernel": "geojax.manifolds.frames.flagfolds",
    "grassmann_logits": "geojax.manifolds.frames.class_subspaces",
    "householder_low_rank": "geojax.manifolds.frames.householder",
    "householder_orthogonal": "geojax.manifolds.frames.householder",
    "nearest_orthogonal": "geojax.manifolds.frames.householder",
    "stratified_metric": "geojax.manifolds.frames.flagfolds",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
