"""Riemannian manifolds: exp, log, distances, means, and what is built on them; every gradient finite."""

from geojax.manifolds.base import LogResult, Manifold
from geojax.manifolds.euclidean import Euclidean
from geojax.manifolds.lorentz import Lorentz
from geojax.manifolds.mean import MeanResult, frechet_mean
from geojax.manifolds.median import frechet_median
from geojax.manifolds.poincare import PoincareBall
from geojax.manifolds.power import Power
from geojax.manifolds.product import Product
from geojax.manifolds.spd_affine_invariant import SPDAffineInvariant
from geojax.manifolds.sphere import Sphere

__all__ = [
    "Euclidean",
    "LogResult",
    "Lorentz",
    "Manifold",
    "MeanResult",
    "PoincareBall",
    "Power",
    "Product",
    "SPDAffineInvariant",
    "Sphere",
    "frechet_mean",
    "frechet_median",
]
