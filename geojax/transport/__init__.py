"""Optimal transport: couplings, distances, barycentres, and their gradients."""

from geojax.transport.assignment import assignment, assignment_cost
from geojax.transport.barycenter import BarycenterResult, barycenter
from geojax.transport.bottleneck import bottleneck_assignment
from geojax.transport.circular import circular_wasserstein
from geojax.transport.control_variates import lower_control, upper_control
from geojax.transport.couplings import maximal_coupling, shared_randomness_coupling, total_variation
from geojax.transport.directions import orthogonal_directions, random_directions, simplex_directions
from geojax.transport.divergence import sinkhorn_divergence
from geojax.transport.feature_sinkhorn import FeatureSinkhornResult, feature_sinkhorn
from geojax.transport.free_support import FreeSupportResult, free_support_barycenter
from geojax.transport.fused_gromov import fused_gromov_wasserstein
from geojax.transport.gaussian import bures_wasserstein, gaussian_wasserstein
from geojax.transport.gaussian_mixture import gaussian_mixture_wasserstein
from geojax.transport.gromov import GromovResult, gromov_wasserstein
from geojax.transport.gromov_init import gw_barycentric_init
from geojax.transport.indistinguishability import EstimateResult, replicability, tv_indistinguishability
from geojax.transport.linear_circular import lcot_barycenter, lcot_distance, lcot_embedding, lcot_inverse
from geojax.transport.maps import barycentric_map, entropic_map
from geojax.transport.max_sliced import MaxSlicedResult, max_sliced_wasserstein
from geojax.transport.mixture import (
    ScorePredictor,
    SelectionResult,
    fit_ot_predictor,
    mixture_ot,
    project_scale,
    select_mixture,
)
from geojax.transport.multimarginal import MultimarginalResult, multimarginal_sinkhorn
from geojax.transport.newton import sinkhorn_newton
from geojax.transport.partial import partial_transport
from geojax.transport.point_cloud import PointCloudResult, point_cloud_sinkhorn
from geojax.transport.polymeans import PolymeanResult, polymean
from geojax.transport.random_features import (
    gaussian_features,
    gaussian_frequencies,
    simplex_plus_frequencies,
    softmax_features,
)
from geojax.transport.robust import WorstCase, wasserstein_ball_worst_case
from geojax.transport.sample_spaces import orbit_type, sample_space_distance
from geojax.transport.sinkhorn import SinkhornResult, sinkhorn
from geojax.transport.sliced import SlicedResult, sliced_wasserstein
from geojax.transport.sliced_flow import sliced_flow
from geojax.transport.sorted_gromov import (
    coactivation_graph,
    graph_on_logits_loss,
    graph_row_means,
    graph_row_norms,
    sorted_gromov_wasserstein,
)
from geojax.transport.species import farthest_point_sampling, log_barrier, species_wasserstein
from geojax.transport.treatment_effect import ate_ustatistic
from geojax.transport.unbalanced import unbalanced_sinkhorn
from geojax.transport.uniform_transform import inverse_uniform_transform, uniform_transform
from geojax.transport.univariate import wasserstein_1d

__all__ = [
    "BarycenterResult",
    "EstimateResult",
    "FeatureSinkhornResult",
    "FreeSupportResult",
    "GromovResult",
    "MaxSlicedResult",
    "MultimarginalResult",
    "PointCloudResult",
    "PolymeanResult",
    "ScorePredictor",
    "SelectionResult",
    "SinkhornResult",
    "SlicedResult",
    "WorstCase",
    "assignment",
    "assignment_cost",
    "ate_ustatistic",
    "barycenter",
    "barycentric_map",
    "bottleneck_assignment",
    "bures_wasserstein",
    "circular_wasserstein",
    "coactivation_graph",
    "entropic_map",
    "farthest_point_sampling",
    "feature_sinkhorn",
    "fit_ot_predictor",
    "free_support_barycenter",
    "fused_gromov_wasserstein",
    "gaussian_features",
    "gaussian_frequencies",
    "gaussian_mixture_wasserstein",
    "gaussian_wasserstein",
    "graph_on_logits_loss",
    "graph_row_means",
    "graph_row_norms",
    "gromov_wasserstein",
    "gw_barycentric_init",
    "inverse_uniform_transform",
    "lcot_barycenter",
    "lcot_distance",
    "lcot_embedding",
    "lcot_inverse",
    "log_barrier",
    "lower_control",
    "max_sliced_wasserstein",
    "maximal_coupling",
    "mixture_ot",
    "multimarginal_sinkhorn",
    "orbit_type",
    "orthogonal_directions",
    "partial_transport",
    "point_cloud_sinkhorn",
    "polymean",
    "project_scale",
    "random_directions",
    "replicability",
    "sample_space_distance",
    "select_mixture",
    "shared_randomness_coupling",
    "simplex_directions",
    "simplex_plus_frequencies",
    "sinkhorn",
    "sinkhorn_divergence",
    "sinkhorn_newton",
    "sliced_flow",
    "sliced_wasserstein",
    "softmax_features",
    "sorted_gromov_wasserstein",
    "species_wasserstein",
    "total_variation",
    "tv_indistinguishability",
    "unbalanced_sinkhorn",
    "uniform_transform",
    "upper_control",
    "wasserstein_1d",
    "wasserstein_ball_worst_case",
]


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
