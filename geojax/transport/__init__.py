"""Optimal transport: couplings, distances, barycentres, and their gradients."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.transport import features, laws
    from geojax.transport.costs import Distance, SquaredEuclidean, pairwise
    from geojax.transport.discrete.assignment import assignment, assignment_cost
    from geojax.transport.discrete.bottleneck import bottleneck_assignment
    from geojax.transport.discrete.exact import ExactTransportResult, exact_transport
    from geojax.transport.discrete.polymeans import PolymeanResult, polymean
    from geojax.transport.discrete.sample_spaces import orbit_type, sample_space_distance
    from geojax.transport.discrete.species import farthest_point_sampling, species_wasserstein
    from geojax.transport.entropic.barycenter import BarycenterResult, barycenter
    from geojax.transport.entropic.divergence import DivergenceResult, sinkhorn_divergence
    from geojax.transport.entropic.feature_sinkhorn import FeatureSinkhornResult, feature_sinkhorn
    from geojax.transport.entropic.free_support import FreeSupportResult, free_support_barycenter
    from geojax.transport.entropic.maps import barycentric_map, entropic_map
    from geojax.transport.entropic.multimarginal import MultimarginalResult, multimarginal_sinkhorn
    from geojax.transport.entropic.newton import sinkhorn_newton
    from geojax.transport.entropic.partial import partial_transport
    from geojax.transport.entropic.point_cloud import PointCloudResult, point_cloud_sinkhorn
    from geojax.transport.entropic.sinkhorn import SinkhornResult, sinkhorn
    from geojax.transport.entropic.unbalanced import unbalanced_sinkhorn, unbalanced_sinkhorn_divergence
    from geojax.transport.features.directions import (
        orthogonal_directions,
        random_directions,
        simplex_directions,
    )
    from geojax.transport.gaussian.bures import bures_wasserstein, gaussian_wasserstein
    from geojax.transport.gaussian.mixture import gaussian_mixture_wasserstein
    from geojax.transport.gromov.fused import fused_gromov_wasserstein
    from geojax.transport.gromov.initialisation import gw_barycentric_init
    from geojax.transport.gromov.sorted_bound import (
        graph_on_logits_loss,
        sorted_gromov_wasserstein,
    )
    from geojax.transport.gromov.wasserstein import GromovResult, gromov_wasserstein
    from geojax.transport.line.circular import circular_wasserstein
    from geojax.transport.line.linear_circular import (
        lcot_barycenter,
        lcot_distance,
        lcot_embedding,
        lcot_inverse,
    )
    from geojax.transport.line.univariate import wasserstein_1d
    from geojax.transport.low_rank.factors import LowRankResult
    from geojax.transport.low_rank.linear import low_rank_sinkhorn
    from geojax.transport.low_rank.quadratic import low_rank_gromov_wasserstein
    from geojax.transport.sliced.control_variates import lower_control, upper_control
    from geojax.transport.sliced.flow import sliced_flow
    from geojax.transport.sliced.max_sliced import MaxSlicedResult, max_sliced_wasserstein
    from geojax.transport.sliced.wasserstein import SlicedResult, sliced_wasserstein

__all__ = [
    "BarycenterResult",
    "Distance",
    "DivergenceResult",
    "ExactTransportResult",
    "FeatureSinkhornResult",
    "FreeSupportResult",
    "GromovResult",
    "LowRankResult",
    "MaxSlicedResult",
    "MultimarginalResult",
    "PointCloudResult",
    "PolymeanResult",
    "SinkhornResult",
    "SlicedResult",
    "SquaredEuclidean",
    "assignment",
    "assignment_cost",
    "barycenter",
    "barycentric_map",
    "bottleneck_assignment",
    "bures_wasserstein",
    "circular_wasserstein",
    "entropic_map",
    "exact_transport",
    "farthest_point_sampling",
    "feature_sinkhorn",
    "features",
    "free_support_barycenter",
    "fused_gromov_wasserstein",
    "gaussian_mixture_wasserstein",
    "gaussian_wasserstein",
    "graph_on_logits_loss",
    "gromov_wasserstein",
    "gw_barycentric_init",
    "laws",
    "lcot_barycenter",
    "lcot_distance",
    "lcot_embedding",
    "lcot_inverse",
    "low_rank_gromov_wasserstein",
    "low_rank_sinkhorn",
    "lower_control",
    "max_sliced_wasserstein",
    "multimarginal_sinkhorn",
    "orbit_type",
    "orthogonal_directions",
    "pairwise",
    "partial_transport",
    "point_cloud_sinkhorn",
    "polymean",
    "random_directions",
    "sample_space_distance",
    "simplex_directions",
    "sinkhorn",
    "sinkhorn_divergence",
    "sinkhorn_newton",
    "sliced_flow",
    "sliced_wasserstein",
    "sorted_gromov_wasserstein",
    "species_wasserstein",
    "unbalanced_sinkhorn",
    "unbalanced_sinkhorn_divergence",
    "upper_control",
    "wasserstein_1d",
]

_DEFINED_IN = {
    "BarycenterResult": "geojax.transport.entropic.barycenter",
    "Distance": "geojax.transport.costs",
    "DivergenceResult": "geojax.transport.entropic.divergence",
    "ExactTransportResult": "geojax.transport.discrete.exact",
    "FeatureSinkhornResult": "geojax.transport.entropic.feature_sinkhorn",
    "FreeSupportResult": "geojax.transport.entropic.free_support",
    "GromovResult": "geojax.transport.gromov.wasserstein",
    "LowRankResult": "geojax.transport.low_rank.factors",
    "MaxSlicedResult": "geojax.transport.sliced.max_sliced",
    "MultimarginalResult": "geojax.transport.entropic.multimarginal",
    "PointCloudResult": "geojax.transport.entropic.point_cloud",
    "PolymeanResult": "geojax.transport.discrete.polymeans",
    "SinkhornResult": "geojax.transport.entropic.sinkhorn",
    "SlicedResult": "geojax.transport.sliced.wasserstein",
    "SquaredEuclidean": "geojax.transport.costs",
    "assignment": "geojax.transport.discrete.assignment",
    "assignment_cost": "geojax.transport.discrete.assignment",
    "barycenter": "geojax.transport.entropic.barycenter",
    "barycentric_map": "geojax.transport.entropic.maps",
    "bottleneck_assignment": "geojax.transport.discrete.bottleneck",
    "bures_wasserstein": "geojax.transport.gaussian.bures",
    "circular_wasserstein": "geojax.transport.line.circular",
    "entropic_map": "geojax.transport.entropic.maps",
    "exact_transport": "geojax.transport.discrete.exact",
    "farthest_point_sampling": "geojax.transport.discrete.species",
    "feature_sinkhorn": "geojax.transport.entropic.feature_sinkhorn",
    "features": "geojax.transport.features",
    "free_support_barycenter": "geojax.transport.entropic.free_support",
    "fused_gromov_wasserstein": "geojax.transport.gromov.fused",
    "gaussian_mixture_wasserstein": "geojax.transport.gaussian.mixture",
    "gaussian_wasserstein": "geojax.transport.gaussian.bures",
    "graph_on_logits_loss": "geojax.transport.gromov.sorted_bound",
    "gromov_wasserstein": "geojax.transport.gromov.wasserstein",
    "gw_barycentric_init": "geojax.transport.gromov.initialisation",
    "laws": "geojax.transport.laws",
    "lcot_barycenter": "geojax.transport.line.linear_circular",
    "lcot_distance": "geojax.transport.line.linear_circular",
    "lcot_embedding": "geojax.transport.line.linear_circular",
    "lcot_inverse": "geojax.transport.line.linear_circular",
    "low_rank_gromov_wasserstein": "geojax.transport.low_rank.quadratic",
    "low_rank_sinkhorn": "geojax.transport.low_rank.linear",
    "lower_control": "geojax.transport.sliced.control_variates",
    "max_sliced_wasserstein": "geojax.transport.sliced.max_sliced",
    "multimarginal_sinkhorn": "geojax.transport.entropic.multimarginal",
    "orbit_type": "geojax.transport.discrete.sample_spaces",
    "orthogonal_directions": "geojax.transport.features.directions",
    "pairwise": "geojax.transport.costs",
    "partial_transport": "geojax.transport.entropic.partial",
    "point_cloud_sinkhorn": "geojax.transport.entropic.point_cloud",
    "polymean": "geojax.transport.discrete.polymeans",
    "random_directions": "geojax.transport.features.directions",
    "sample_space_distance": "geojax.transport.discrete.sample_spaces",
    "simplex_directions": "geojax.transport.features.directions",
    "sinkhorn": "geojax.transport.entropic.sinkhorn",
    "sinkhorn_divergence": "geojax.transport.entropic.divergence",
    "sinkhorn_newton": "geojax.transport.entropic.newton",
    "sliced_flow": "geojax.transport.sliced.flow",
    "sliced_wasserstein": "geojax.transport.sliced.wasserstein",
    "sorted_gromov_wasserstein": "geojax.transport.gromov.sorted_bound",
    "species_wasserstein": "geojax.transport.discrete.species",
    "unbalanced_sinkhorn": "geojax.transport.entropic.unbalanced",
    "unbalanced_sinkhorn_divergence": "geojax.transport.entropic.unbalanced",
    "upper_control": "geojax.transport.sliced.control_variates",
    "wasserstein_1d": "geojax.transport.line.univariate",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
