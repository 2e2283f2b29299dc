"""Riemannian manifolds: exp, log, distances, means, and what is built on them; every gradient finite."""

from geojax.manifolds.affine_group import AffineGroup
from geojax.manifolds.barycentric_subspaces import SubspaceProjection, barycentric_subspace_project
from geojax.manifolds.base import LogResult, Manifold
from geojax.manifolds.batch_norm import BatchNormResult, BatchNormState, frechet_variance
from geojax.manifolds.bishop_frames import bishop_frame
from geojax.manifolds.bures_batch_norm import bures_batch_norm, bures_batch_norm_eval
from geojax.manifolds.correlation import Correlation
from geojax.manifolds.euclidean import Euclidean
from geojax.manifolds.fixed_rank import FixedRank
from geojax.manifolds.flag import Flag
from geojax.manifolds.flagfolds import (
    WeightedFlag,
    embed_subspace,
    flag_from_covariance,
    flag_geodesic,
    flagfold_kernel,
    stratified_metric,
)
from geojax.manifolds.frechet_prediction import frechet_locus, frechet_predict, next_class
from geojax.manifolds.functional_maps import (
    FunctionalMapResult,
    fmap_to_pointwise,
    functional_map,
    regularized_functional_map,
    score_distillation_grad,
    zoomout,
)
from geojax.manifolds.gradient import riemannian_grad, riemannian_hvp
from geojax.manifolds.grassmann import Grassmann
from geojax.manifolds.grassmann_logits import grassmann_logits
from geojax.manifolds.haar import HaarSample, haar_sample, invariant_average
from geojax.manifolds.heat_kernels import sphere_heat_kernel, torus_heat_kernel
from geojax.manifolds.householder import householder_low_rank, householder_orthogonal, nearest_orthogonal
from geojax.manifolds.hyperbolic import Hyperbolic
from geojax.manifolds.hyperbolic_margin import hyperplane_distance, lorentz_svm_loss
from geojax.manifolds.interpolation import bezier_curve, interpolating_curve
from geojax.manifolds.kernel_metrics import (
    HamiltonianResult,
    KernelMetric,
    affine_invariant_kernel,
    bogoliubov_kubo_mori_kernel,
    bures_wasserstein_kernel,
    euclidean_kernel,
    hamiltonian_geodesic,
    log_euclidean_kernel,
    power_affine_kernel,
    power_euclidean_kernel,
)
from geojax.manifolds.ladders import pole_ladder, schild_ladder
from geojax.manifolds.lie_batch_norm import lie_batch_norm, lie_batch_norm_eval
from geojax.manifolds.linear_groups import GeneralLinear, SpecialLinear
from geojax.manifolds.lorentz import Lorentz
from geojax.manifolds.mean import MeanResult, frechet_mean
from geojax.manifolds.median import frechet_median
from geojax.manifolds.mesh_laplacians import (
    MeshLaplacian,
    cotan_laplacian,
    deformation_energy,
    orientation_penalty,
    projected_laplacian,
)
from geojax.manifolds.moment_registration import (
    RigidMotion,
    sampling_equalizer,
    ume_contrastive_loss,
    ume_matrix,
    ume_register,
    ume_subspace_distance,
)
from geojax.manifolds.oblique import Oblique
from geojax.manifolds.poincare import PoincareBall
from geojax.manifolds.polar_coordinates import affine_kernel_coords, gl_exp, gl_log, gl_polar
from geojax.manifolds.pose_fitting import PoseResult, se3_gauss_newton
from geojax.manifolds.poses import (
    Similarity,
    forward_kinematics,
    pa_mpjpe,
    procrustes_align,
    so3_from_6d,
    so3_geodesic,
)
from geojax.manifolds.power import Power
from geojax.manifolds.product import Product
from geojax.manifolds.quotient_mean import consistency_bias, quotient_frechet_mean
from geojax.manifolds.regression import RegressionResult, geodesic_regression
from geojax.manifolds.rigid_motions import SpecialEuclidean, se3_exp, se3_log
from geojax.manifolds.shape_space import ShapeSpace
from geojax.manifolds.simplex import Simplex
from geojax.manifolds.sparse_matching import SparseMatch, match_sparse
from geojax.manifolds.spd_affine_invariant import SPDAffineInvariant
from geojax.manifolds.spd_bures_wasserstein import SPDBuresWasserstein
from geojax.manifolds.spd_log_cholesky import SPDLogCholesky
from geojax.manifolds.spd_log_euclidean import SPDLogEuclidean
from geojax.manifolds.spd_power import SPDPower
from geojax.manifolds.special_orthogonal import SpecialOrthogonal
from geojax.manifolds.special_unitary import SpecialUnitary
from geojax.manifolds.sphere import Sphere
from geojax.manifolds.stiefel import Stiefel
from geojax.manifolds.subspace_analysis import (
    SubspaceAnalysis,
    accumulated_unexplained_variance,
    barycentric_subspace_analysis,
)
from geojax.manifolds.symmetric_power import SymmetricPower
from geojax.manifolds.tangent_pca import TangentPCA, tangent_pca
from geojax.manifolds.torus import Torus
from geojax.manifolds.triangle_distance import TriangleDistance, point_triangle_udf
from geojax.manifolds.unitary_heat_kernel import su_heat_kernel

__all__ = [
    "AffineGroup",
    "BatchNormResult",
    "BatchNormState",
    "Correlation",
    "Euclidean",
    "FixedRank",
    "Flag",
    "FunctionalMapResult",
    "GeneralLinear",
    "Grassmann",
    "HaarSample",
    "HamiltonianResult",
    "Hyperbolic",
    "KernelMetric",
    "LogResult",
    "Lorentz",
    "Manifold",
    "MeanResult",
    "MeshLaplacian",
    "Oblique",
    "PoincareBall",
    "PoseResult",
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
    "Similarity",
    "Simplex",
    "SparseMatch",
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
    "TriangleDistance",
    "WeightedFlag",
    "accumulated_unexplained_variance",
    "affine_invariant_kernel",
    "affine_kernel_coords",
    "barycentric_subspace_analysis",
    "barycentric_subspace_project",
    "bezier_curve",
    "bishop_frame",
    "bogoliubov_kubo_mori_kernel",
    "bures_batch_norm",
    "bures_batch_norm_eval",
    "bures_wasserstein_kernel",
    "consistency_bias",
    "cotan_laplacian",
    "deformation_energy",
    "embed_subspace",
    "euclidean_kernel",
    "flag_from_covariance",
    "flag_geodesic",
    "flagfold_kernel",
    "fmap_to_pointwise",
    "forward_kinematics",
    "frechet_locus",
    "frechet_mean",
    "frechet_median",
    "frechet_predict",
    "frechet_variance",
    "functional_map",
    "geodesic_regression",
    "gl_exp",
    "gl_log",
    "gl_polar",
    "grassmann_logits",
    "haar_sample",
    "hamiltonian_geodesic",
    "householder_low_rank",
    "householder_orthogonal",
    "hyperplane_distance",
    "interpolating_curve",
    "invariant_average",
    "lie_batch_norm",
    "lie_batch_norm_eval",
    "log_euclidean_kernel",
    "lorentz_svm_loss",
    "match_sparse",
    "nearest_orthogonal",
    "next_class",
    "orientation_penalty",
    "pa_mpjpe",
    "point_triangle_udf",
    "pole_ladder",
    "power_affine_kernel",
    "power_euclidean_kernel",
    "procrustes_align",
    "projected_laplacian",
    "quotient_frechet_mean",
    "regularized_functional_map",
    "riemannian_grad",
    "riemannian_hvp",
    "sampling_equalizer",
    "schild_ladder",
    "score_distillation_grad",
    "se3_exp",
    "se3_gauss_newton",
    "se3_log",
    "so3_from_6d",
    "so3_geodesic",
    "sphere_heat_kernel",
    "stratified_metric",
    "su_heat_kernel",
    "tangent_pca",
    "torus_heat_kernel",
    "ume_contrastive_loss",
    "ume_matrix",
    "ume_register",
    "ume_subspace_distance",
    "zoomout",
]


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
