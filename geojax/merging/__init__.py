"""Merging: several models made one, paths between them and the barriers on those paths."""

from geojax.merging.aggregation import AggregationResult, aggregate, client_coherence, learn_aggregation
from geojax.merging.alignment_report import AlignmentReport, alignment_report
from geojax.merging.average import average
from geojax.merging.balanced import balanced_average, error_correction_table
from geojax.merging.concrete import ConcreteFit, concrete_fit, concrete_mask, concrete_merge
from geojax.merging.connectivity import BarrierResult, barrier, interpolate
from geojax.merging.diversity import (
    ErrorDecomposition,
    SelectionResult,
    diverse_select,
    error_decomposition,
    functional_diversity,
)
from geojax.merging.feature_connectivity import feature_connectivity
from geojax.merging.fisher import diagonal_fisher, fisher_average, regmean
from geojax.merging.pareto import hypervolume, non_dominated, pareto_front, pareto_loss
from geojax.merging.plane import PlaneResult, plane
from geojax.merging.repair import repair
from geojax.merging.reversible import ReversibleMerge, low_rank_gram, reversible_merge, revert
from geojax.merging.signatures import layer_energy, patch, quantize_signature, weight_signature
from geojax.merging.spherical import KarcherResult, karcher, slerp
from geojax.merging.stock import model_stock, pairwise_cosine
from geojax.merging.task_vectors import dare, task_arithmetic, ties
from geojax.merging.weight_subspace import WeightSubspace, collect_weights, sample_subspace, weight_subspace

__all__ = [
    "AggregationResult",
    "AlignmentReport",
    "BarrierResult",
    "ConcreteFit",
    "ErrorDecomposition",
    "KarcherResult",
    "PlaneResult",
    "ReversibleMerge",
    "SelectionResult",
    "WeightSubspace",
    "aggregate",
    "alignment_report",
    "average",
    "balanced_average",
    "barrier",
    "client_coherence",
    "collect_weights",
    "concrete_fit",
    "concrete_mask",
    "concrete_merge",
    "dare",
    "diagonal_fisher",
    "diverse_select",
    "error_correction_table",
    "error_decomposition",
    "feature_connectivity",
    "fisher_average",
    "functional_diversity",
    "hypervolume",
    "interpolate",
    "karcher",
    "layer_energy",
    "learn_aggregation",
    "low_rank_gram",
    "model_stock",
    "non_dominated",
    "pairwise_cosine",
    "pareto_front",
    "pareto_loss",
    "patch",
    "plane",
    "quantize_signature",
    "regmean",
    "repair",
    "reversible_merge",
    "revert",
    "sample_subspace",
    "slerp",
    "task_arithmetic",
    "ties",
    "weight_signature",
    "weight_subspace",
]


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
