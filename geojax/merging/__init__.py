"""Merging: several models made one, paths between them and the barriers on those paths."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.merging.activations.repair import repair
    from geojax.merging.aligned import WeightMatching
    from geojax.merging.averages.aggregation import (
        AggregationResult,
        aggregate,
        client_coherence,
        learn_aggregation,
    )
    from geojax.merging.averages.average import average
    from geojax.merging.averages.balanced import balanced_average, error_correction_table
    from geojax.merging.averages.diversity import (
        DiverseSelectionResult,
        ErrorDecomposition,
        diverse_select,
        error_decomposition,
        functional_diversity,
    )
    from geojax.merging.averages.fisher import diagonal_fisher, fisher_average, regmean
    from geojax.merging.averages.pareto import hypervolume, non_dominated, pareto_front, pareto_loss
    from geojax.merging.averages.spherical import KarcherResult, karcher, slerp
    from geojax.merging.averages.stock import model_stock, pairwise_cosine
    from geojax.merging.averages.weight_subspace import (
        WeightSubspace,
        collect_weights,
        sample_subspace,
        weight_subspace,
    )
    from geojax.merging.paths.alignment_report import AlignmentReport, alignment_report
    from geojax.merging.paths.connectivity import BarrierResult, barrier, interpolate
    from geojax.merging.paths.feature_connectivity import feature_connectivity
    from geojax.merging.paths.plane import PlaneResult, plane
    from geojax.merging.tasks.concrete import ConcreteFit, concrete_fit, concrete_mask, concrete_merge
    from geojax.merging.tasks.reversible import ReversibleMerge, low_rank_gram, reversible_merge, revert
    from geojax.merging.tasks.signatures import layer_energy, patch, quantize_signature, weight_signature
    from geojax.merging.tasks.task_vectors import dare, task_arithmetic, ties

__all__ = [
    "AggregationResult",
    "AlignmentReport",
    "BarrierResult",
    "ConcreteFit",
    "DiverseSelectionResult",
    "ErrorDecomposition",
    "KarcherResult",
    "PlaneResult",
    "ReversibleMerge",
    "WeightMatching",
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

_DEFINED_IN = {
    "AggregationResult": "geojax.merging.averages.aggregation",
    "AlignmentReport": "geojax.merging.paths.alignment_report",
    "BarrierResult": "geojax.merging.paths.connectivity",
    "ConcreteFit": "geojax.merging.tasks.concrete",
    "ErrorDecomposition": "geojax.merging.averages.diversity",
    "KarcherResult": "geojax.merging.averages.spherical",
    "PlaneResult": "geojax.merging.paths.plane",
    "ReversibleMerge": "geojax.merging.tasks.reversible",
    "DiverseSelectionResult": "geojax.merging.averages.diversity",
    "WeightMatching": "geojax.merging.aligned",
    "WeightSubspace": "geojax.merging.averages.weight_subspace",
    "aggregate": "geojax.merging.averages.aggregation",
    "alignment_report": "geojax.merging.paths.alignment_report",
    "average": "geojax.merging.averages.average",
    "balanced_average": "geojax.merging.averages.balanced",
    "barrier": "geojax.merging.paths.connectivity",
    "client_coherence": "geojax.merging.averages.aggregation",
    "collect_weights": "geojax.merging.averages.weight_subspace",
    "concrete_fit": "geojax.merging.tasks.concrete",
    "concrete_mask": "geojax.merging.tasks.concrete",
    "concrete_merge": "geojax.merging.tasks.concrete",
    "dare": "geojax.merging.tasks.task_vectors",
    "diagonal_fisher": "geojax.merging.averages.fisher",
    "diverse_select": "geojax.merging.averages.diversity",
    "error_correction_table": "geojax.merging.averages.balanced",
    "error_decomposition": "geojax.merging.averages.diversity",
    "feature_connectivity": "geojax.merging.paths.feature_connectivity",
    "fisher_average": "geojax.merging.averages.fisher",
    "functional_diversity": "geojax.merging.averages.diversity",
    "hypervolume": "geojax.merging.averages.pareto",
    "interpolate": "geojax.merging.paths.connectivity",
    "karcher": "geojax.merging.averages.spherical",
    "layer_energy": "geojax.merging.tasks.signatures",
    "learn_aggregation": "geojax.merging.averages.aggregation",
    "low_rank_gram": "geojax.merging.tasks.reversible",
    "model_stock": "geojax.merging.averages.stock",
    "non_dominated": "geojax.merging.averages.pareto",
    "pairwise_cosine": "geojax.merging.averages.stock",
    "pareto_front": "geojax.merging.averages.pareto",
    "pareto_loss": "geojax.merging.averages.pareto",
    "patch": "geojax.merging.tasks.signatures",
    "plane": "geojax.merging.paths.plane",
    "quantize_signature": "geojax.merging.tasks.signatures",
    "regmean": "geojax.merging.averages.fisher",
    "repair": "geojax.merging.activations.repair",
    "reversible_merge": "geojax.merging.tasks.reversible",
    "revert": "geojax.merging.tasks.reversible",
    "sample_subspace": "geojax.merging.averages.weight_subspace",
    "slerp": "geojax.merging.averages.spherical",
    "task_arithmetic": "geojax.merging.tasks.task_vectors",
    "ties": "geojax.merging.tasks.task_vectors",
    "weight_signature": "geojax.merging.tasks.signatures",
    "weight_subspace": "geojax.merging.averages.weight_subspace",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
