"""Riemannian manifolds: exp, log, distances, means, and what is built on them; every gradient finite."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.manifolds import heat, meshes, normalization, poses, spd
    from geojax.manifolds.base.euclidean import Euclidean
    from geojax.manifolds.base.geodesics import LogResult
    from geojax.manifolds.base.gradient import riemannian_grad, riemannian_hvp
    from geojax.manifolds.base.manifold import Manifold
    from geojax.manifolds.curves.bishop_frames import bishop_frame
    from geojax.manifolds.curves.interpolation import bezier_curve
    from geojax.manifolds.curves.ladders import pole_ladder, schild_ladder
    from geojax.manifolds.frames.class_subspaces import grassmann_logits
    from geojax.manifolds.frames.fixed_rank import FixedRank
    from geojax.manifolds.frames.flag import Flag
    from geojax.manifolds.frames.flagfolds import (
        WeightedFlag,
        embed_subspace,
        flag_from_covariance,
        flag_geodesic,
        flagfold_kernel,
        stratified_metric,
    )
    from geojax.manifolds.frames.grassmann import Grassmann
    from geojax.manifolds.frames.householder import (
        householder_low_rank,
        householder_orthogonal,
        nearest_orthogonal,
    )
    from geojax.manifolds.frames.stiefel import Stiefel
    from geojax.manifolds.groups.affine_group import AffineGroup
    from geojax.manifolds.groups.haar import HaarSample, haar_sample, invariant_average
    from geojax.manifolds.groups.linear_groups import GeneralLinear, SpecialLinear
    from geojax.manifolds.groups.polar_coordinates import gl_exp, gl_log, gl_polar
    from geojax.manifolds.groups.rigid_motions import SpecialEuclidean
    from geojax.manifolds.groups.special_orthogonal import SpecialOrthogonal
    from geojax.manifolds.groups.special_unitary import SpecialUnitary
    from geojax.manifolds.hyperbolic.lorentz import Lorentz
    from geojax.manifolds.hyperbolic.margin import hyperplane_distance, lorentz_svm_loss
    from geojax.manifolds.hyperbolic.poincare import PoincareBall
    from geojax.manifolds.hyperbolic.polar import Hyperbolic
    from geojax.manifolds.poses.moment_registration import RigidMotion
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
    from geojax.manifolds.statistics.barycentric_subspaces import (
        SubspaceProjection,
        barycentric_subspace_project,
    )
    from geojax.manifolds.statistics.mean import MeanResult, frechet_mean
    from geojax.manifolds.statistics.median import frechet_median
    from geojax.manifolds.statistics.prediction import frechet_locus, frechet_predict, next_class
    from geojax.manifolds.statistics.quotient_mean import consistency_bias, quotient_frechet_mean
    from geojax.manifolds.statistics.regression import RegressionResult, geodesic_regression
    from geojax.manifolds.statistics.subspace_analysis import (
        SubspaceAnalysis,
        accumulated_unexplained_variance,
        barycentric_subspace_analysis,
    )
    from geojax.manifolds.statistics.tangent_pca import TangentPCA, tangent_pca

__all__ = [
    "AffineGroup",
    "Correlation",
    "Euclidean",
    "FixedRank",
    "Flag",
    "GeneralLinear",
    "Grassmann",
    "HaarSample",
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
    "RigidMotion",
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
    "SubspaceAnalysis",
    "SubspaceProjection",
    "SymmetricPower",
    "TangentPCA",
    "Torus",
    "WeightedFlag",
    "accumulated_unexplained_variance",
    "barycentric_subspace_analysis",
    "barycentric_subspace_project",
    "bezier_curve",
    "bishop_frame",
    "consistency_bias",
    "embed_subspace",
    "flag_from_covariance",
    "flag_geodesic",
    "flagfold_kernel",
    "frechet_locus",
    "frechet_mean",
    "frechet_median",
    "frechet_predict",
    "geodesic_regression",
    "gl_exp",
    "gl_log",
    "gl_polar",
    "grassmann_logits",
    "haar_sample",
    "heat",
    "householder_low_rank",
    "householder_orthogonal",
    "hyperplane_distance",
    "invariant_average",
    "lorentz_svm_loss",
    "meshes",
    "nearest_orthogonal",
    "next_class",
    "normalization",
    "pole_ladder",
    "poses",
    "quotient_frechet_mean",
    "riemannian_grad",
    "riemannian_hvp",
    "schild_ladder",
    "spd",
    "stratified_metric",
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
    "HaarSample": "geojax.manifolds.groups.haar",
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
    "RigidMotion": "geojax.manifolds.poses.moment_registration",
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
    "SubspaceAnalysis": "geojax.manifolds.statistics.subspace_analysis",
    "SubspaceProjection": "geojax.manifolds.statistics.barycentric_subspaces",
    "SymmetricPower": "geojax.manifolds.products.symmetric_power",
    "TangentPCA": "geojax.manifolds.statistics.tangent_pca",
    "Torus": "geojax.manifolds.products.torus",
    "WeightedFlag": "geojax.manifolds.frames.flagfolds",
    "accumulated_unexplained_variance": "geojax.manifolds.statistics.subspace_analysis",
    "barycentric_subspace_analysis": "geojax.manifolds.statistics.subspace_analysis",
    "barycentric_subspace_project": "geojax.manifolds.statistics.barycentric_subspaces",
    "bezier_curve": "geojax.manifolds.curves.interpolation",
    "bishop_frame": "geojax.manifolds.curves.bishop_frames",
    "consistency_bias": "geojax.manifolds.statistics.quotient_mean",
    "embed_subspace": "geojax.manifolds.frames.flagfolds",
    "flag_from_covariance": "geojax.manifolds.frames.flagfolds",
    "flag_geodesic": "geojax.manifolds.frames.flagfolds",
    "flagfold_kernel": "geojax.manifolds.frames.flagfolds",
    "frechet_locus": "geojax.manifolds.statistics.prediction",
    "frechet_mean": "geojax.manifolds.statistics.mean",
    "frechet_median": "geojax.manifolds.statistics.median",
    "frechet_predict": "geojax.manifolds.statistics.prediction",
    "geodesic_regression": "geojax.manifolds.statistics.regression",
    "gl_exp": "geojax.manifolds.groups.polar_coordinates",
    "gl_log": "geojax.manifolds.groups.polar_coordinates",
    "gl_polar": "geojax.manifolds.groups.polar_coordinates",
    "grassmann_logits": "geojax.manifolds.frames.class_subspaces",
    "haar_sample": "geojax.manifolds.groups.haar",
    "heat": "geojax.manifolds.heat",
    "householder_low_rank": "geojax.manifolds.frames.householder",
    "householder_orthogonal": "geojax.manifolds.frames.householder",
    "hyperplane_distance": "geojax.manifolds.hyperbolic.margin",
    "invariant_average": "geojax.manifolds.groups.haar",
    "lorentz_svm_loss": "geojax.manifolds.hyperbolic.margin",
    "meshes": "geojax.manifolds.meshes",
    "nearest_orthogonal": "geojax.manifolds.frames.householder",
    "next_class": "geojax.manifolds.statistics.prediction",
    "normalization": "geojax.manifolds.normalization",
    "pole_ladder": "geojax.manifolds.curves.ladders",
    "poses": "geojax.manifolds.poses",
    "quotient_frechet_mean": "geojax.manifolds.statistics.quotient_mean",
    "riemannian_grad": "geojax.manifolds.base.gradient",
    "riemannian_hvp": "geojax.manifolds.base.gradient",
    "schild_ladder": "geojax.manifolds.curves.ladders",
    "spd": "geojax.manifolds.spd",
    "stratified_metric": "geojax.manifolds.frames.flagfolds",
    "tangent_pca": "geojax.manifolds.statistics.tangent_pca",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
