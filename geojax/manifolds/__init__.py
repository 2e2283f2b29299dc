"""Riemannian manifolds: exp, log, distances, means, and what is built on them; every gradient finite."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds import (
        curves,
        frames,
        groups,
        heat,
        hyperbolic,
        meshes,
        normalization,
        poses,
        spd,
        statistics,
    )
    from geojax.manifolds.base.euclidean import Euclidean
    from geojax.manifolds.base.geodesics import LogResult
    from geojax.manifolds.base.gradient import riemannian_grad, riemannian_hvp
    from geojax.manifolds.base.manifold import Manifold
    from geojax.manifolds.curves.ladders import pole_ladder, schild_ladder
    from geojax.manifolds.frames.fixed_rank import FixedRank
    from geojax.manifolds.frames.flag import Flag
    from geojax.manifolds.frames.grassmann import Grassmann
    from geojax.manifolds.frames.stiefel import Stiefel
    from geojax.manifolds.groups.affine_group import AffineGroup
    from geojax.manifolds.groups.linear_groups import GeneralLinear, SpecialLinear
    from geojax.manifolds.groups.rigid_motions import SpecialEuclidean
    from geojax.manifolds.groups.special_orthogonal import SpecialOrthogonal
    from geojax.manifolds.groups.special_unitary import SpecialUnitary
    from geojax.manifolds.hyperbolic.lorentz import Lorentz
    from geojax.manifolds.hyperbolic.poincare import PoincareBall
    from geojax.manifolds.hyperbolic.polar import Hyperbolic
    from geojax.manifolds.products.power import Power
    from geojax.manifolds.products.product import Product
    from geojax.manifolds.products.symmetric_power import SymmetricPower
    from geojax.manifolds.products.torus import Torus
    from geojax.manifolds.spd.affine_invariant import SPDAffineInvariant
    from geojax.manifolds.spd.bures_wasserstein import SPDBuresWasserstein
    from geojax.manifolds.spd.correlation import Correlation
    from geojax.manifolds.spd.log_cholesky import SPDLogCholesky
    from geojax.manifolds.spd.log_euclidean import SPDLogEuclidean
    from geojax.manifolds.spd.power import SPDPower
    from geojax.manifolds.spheres.oblique import Oblique
    from geojax.manifolds.spheres.shape_space import ShapeSpace
    from geojax.manifolds.spheres.simplex import Simplex
    from geojax.manifolds.spheres.sphere import Sphere
    from geojax.manifolds.statistics.mean import MeanResult, frechet_mean
    from geojax.manifolds.statistics.median import frechet_median
    from geojax.manifolds.statistics.regression import RegressionResult, geodesic_regression
    from geojax.manifolds.statistics.tangent_pca import TangentPCA, tangent_pca

__all__ = [
    "AffineGroup",
    "Correlation",
    "Euclidean",
    "FixedRank",
    "Flag",
    "GeneralLinear",
    "Grassmann",
    "Hyperbolic",
    "LogResult",
    "Lorentz",
    "Manifold",
    "MeanResult",
    "Oblique",
    "PoincareBall",
    "Power",
    "Product",
    "RegressionResult",
    "SPDAffineInvariant",
    "SPDBuresWasserstein",
    "SPDLogCholesky",
    "SPDLogEuclidean",
    "SPDPower",
    "ShapeSpace",
    "Simplex",
    "SpecialEuclidean",
    "SpecialLinear",
    "SpecialOrthogonal",
    "SpecialUnitary",
    "Sphere",
    "Stiefel",
    "SymmetricPower",
    "TangentPCA",
    "Torus",
    "curves",
    "frames",
    "frechet_mean",
    "frechet_median",
    "geodesic_regression",
    "groups",
    "heat",
    "hyperbolic",
    "meshes",
    "normalization",
    "pole_ladder",
    "poses",
    "riemannian_grad",
    "riemannian_hvp",
    "schild_ladder",
    "spd",
    "statistics",
    "tangent_pca",
]

_DEFINED_IN = {
    "AffineGroup": "geojax.manifolds.groups.affine_group",
    "Correlation": "geojax.manifolds.spd.correlation",
    "Euclidean": "geojax.manifolds.base.euclidean",
    "FixedRank": "geojax.manifolds.frames.fixed_rank",
    "Flag": "geojax.manifolds.frames.flag",
    "GeneralLinear": "geojax.manifolds.groups.linear_groups",
    "Grassmann": "geojax.manifolds.frames.grassmann",
    "Hyperbolic": "geojax.manifolds.hyperbolic.polar",
    "LogResult": "geojax.manifolds.base.geodesics",
    "Lorentz": "geojax.manifolds.hyperbolic.lorentz",
    "Manifold": "geojax.manifolds.base.manifold",
    "MeanResult": "geojax.manifolds.statistics.mean",
    "Oblique": "geojax.manifolds.spheres.oblique",
    "PoincareBall": "geojax.manifolds.hyperbolic.poincare",
    "Power": "geojax.manifolds.products.power",
    "Product": "geojax.manifolds.products.product",
    "RegressionResult": "geojax.manifolds.statistics.regression",
    "SPDAffineInvariant": "geojax.manifolds.spd.affine_invariant",
    "SPDBuresWasserstein": "geojax.manifolds.spd.bures_wasserstein",
    "SPDLogCholesky": "geojax.manifolds.spd.log_cholesky",
    "SPDLogEuclidean": "geojax.manifolds.spd.log_euclidean",
    "SPDPower": "geojax.manifolds.spd.power",
    "ShapeSpace": "geojax.manifolds.spheres.shape_space",
    "Simplex": "geojax.manifolds.spheres.simplex",
    "SpecialEuclidean": "geojax.manifolds.groups.rigid_motions",
    "SpecialLinear": "geojax.manifolds.groups.linear_groups",
    "SpecialOrthogonal": "geojax.manifolds.groups.special_orthogonal",
    "SpecialUnitary": "geojax.manifolds.groups.special_unitary",
    "Sphere": "geojax.manifolds.spheres.sphere",
    "Stiefel": "geojax.manifolds.frames.stiefel",
    "SymmetricPower": "geojax.manifolds.products.symmetric_power",
    "TangentPCA": "geojax.manifolds.statistics.tangent_pca",
    "Torus": "geojax.manifolds.products.torus",
    "curves": "geojax.manifolds.curves",
    "frames": "geojax.manifolds.frames",
    "frechet_mean": "geojax.manifolds.statistics.mean",
    "frechet_median": "geojax.manifolds.statistics.median",
    "geodesic_regression": "geojax.manifolds.statistics.regression",
    "groups": "geojax.manifolds.groups",
    "heat": "geojax.manifolds.heat",
    "hyperbolic": "geojax.manifolds.hyperbolic",
    "meshes": "geojax.manifolds.meshes",
    "normalization": "geojax.manifolds.normalization",
    "pole_ladder": "geojax.manifolds.curves.ladders",
    "poses": "geojax.manifolds.poses",
    "riemannian_grad": "geojax.manifolds.base.gradient",
    "riemannian_hvp": "geojax.manifolds.base.gradient",
    "schild_ladder": "geojax.manifolds.curves.ladders",
    "spd": "geojax.manifolds.spd",
    "statistics": "geojax.manifolds.statistics",
    "tangent_pca": "geojax.manifolds.statistics.tangent_pca",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
