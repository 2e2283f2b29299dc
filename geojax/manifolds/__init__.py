"""Riemannian manifolds: exp, log, distances, means, and what is built on them; every gradient finite."""

from geojax.manifolds.base import LogResult, Manifold
from geojax.manifolds.euclidean import Euclidean
from geojax.manifolds.mean import MeanResult, frechet_mean
from geojax.manifolds.sphere import Sphere

__all__ = [
    "Euclidean",
    "LogResult",
    "Manifold",
    "MeanResult",
    "Sphere",
    "frechet_mean",
]
