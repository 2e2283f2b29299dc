"""Riemannian manifolds: exp, log, distances, means, and what is built on them; every gradient finite."""

from geojax.manifolds.base import LogResult, Manifold
from geojax.manifolds.euclidean import Euclidean
from geojax.manifolds.gradient import riemannian_grad, riemannian_hvp
from geojax.manifolds.interpolation import bezier_curve, interpolating_curve
from geojax.manifolds.ladders import pole_ladder, schild_ladder
from geojax.manifolds.lorentz import Lorentz
from geojax.manifolds.mean import MeanResult, frechet_mean
from geojax.manifolds.median import frechet_median
from geojax.manifolds.poincare import PoincareBall
from geojax.manifolds.power import Power
from geojax.manifolds.product import Product
from geojax.manifolds.spd_affine_invariant import SPDAffineInvariant
from geojax.manifolds.spd_bures_wasserstein import SPDBuresWasserstein
from geojax.manifolds.spd_log_cholesky import SPDLogCholesky
from geojax.manifolds.spd_log_euclidean import SPDLogEuclidean
from geojax.manifolds.spd_power import SPDPower
from geojax.manifolds.sphere import Sphere
from geojax.manifolds.stiefel import Stiefel
from geojax.manifolds.tangent_pca import TangentPCA, tangent_pca

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
    "SPDBuresWasserstein",
    "SPDLogCholesky",
    "SPDLogEuclidean",
    "SPDPower",
    "Sphere",
    "Stiefel",
    "TangentPCA",
    "bezier_curve",
    "frechet_mean",
    "frechet_median",
    "interpolating_curve",
    "pole_ladder",
    "riemannian_grad",
    "riemannian_hvp",
    "schild_ladder",
    "tangent_pca",
]
