"""Weight-space symmetry: inferred from any JAX function, and put to work."""

from geojax.symmetry.action import act, compose, identity, inverse, random_element
from geojax.symmetry.activation_matching import activation_matching
from geojax.symmetry.asymmetry import (
    AsymmetricMask,
    apply_asymmetric,
    asymmetric_mask,
    automorphism_count,
)
from geojax.symmetry.canonical import (
    RescalingResult,
    canonical_permutation,
    canonicalize,
    fold_scales,
    min_norm_rescaling,
    permutation_count,
)
from geojax.symmetry.collect import collect
from geojax.symmetry.dimension import (
    functional_dimension,
    hidden_symmetry_defect,
    orbit_dimension,
    symmetry_dimension,
)
from geojax.symmetry.feature_merging import (
    FeatureMergingResult,
    feature_complexity,
    merge_equivalent_units,
)
from geojax.symmetry.frank_wolfe_matching import frank_wolfe_matching
from geojax.symmetry.gradient_matching import straight_through_matching
from geojax.symmetry.groups import Group
from geojax.symmetry.infer import infer
from geojax.symmetry.interpolated_experts import interpolated_experts
from geojax.symmetry.quasilinear import gauge_act, gauge_orbit, quasilinear_block
from geojax.symmetry.rankings import (
    BreakdownResult,
    breakdown,
    bucket_merge,
    kemeny_median,
    kendall_tau,
    spearman_footrule,
)
from geojax.symmetry.singular_alignment import singular_alignment
from geojax.symmetry.sinkhorn_matching import sinkhorn_matching
from geojax.symmetry.spec import SymmetrySpec, VerifyResult
from geojax.symmetry.spectral_units import UnitGroupsResult, spectral_unit_match
from geojax.symmetry.state_space import (
    bilinear,
    hippo_legs,
    s4d_inverse,
    s4d_kernel,
    s4d_legs,
    s4d_linear,
    ssm_change_basis,
    ssm_diagonalize,
    zero_order_hold,
)
from geojax.symmetry.teleport import TeleportResult, teleport, with_teleportation
from geojax.symmetry.units import (
    SparseMapResult,
    bipartite_match,
    semi_match,
    sparse_unit_map,
    unit_correlation,
)
from geojax.symmetry.universe import universe_matching
from geojax.symmetry.verify import verify
from geojax.symmetry.weight_matching import MatchingResult, weight_matching
from geojax.symmetry.width_matching import width_matching

__all__ = [
    "AsymmetricMask",
    "BreakdownResult",
    "FeatureMergingResult",
    "Group",
    "MatchingResult",
    "RescalingResult",
    "SparseMapResult",
    "SymmetrySpec",
    "TeleportResult",
    "UnitGroupsResult",
    "VerifyResult",
    "act",
    "activation_matching",
    "apply_asymmetric",
    "asymmetric_mask",
    "automorphism_count",
    "bilinear",
    "bipartite_match",
    "breakdown",
    "bucket_merge",
    "canonical_permutation",
    "canonicalize",
    "collect",
    "compose",
    "feature_complexity",
    "fold_scales",
    "frank_wolfe_matching",
    "functional_dimension",
    "gauge_act",
    "gauge_orbit",
    "hidden_symmetry_defect",
    "hippo_legs",
    "identity",
    "infer",
    "interpolated_experts",
    "inverse",
    "kemeny_median",
    "kendall_tau",
    "merge_equivalent_units",
    "min_norm_rescaling",
    "orbit_dimension",
    "permutation_count",
    "quasilinear_block",
    "random_element",
    "s4d_inverse",
    "s4d_kernel",
    "s4d_legs",
    "s4d_linear",
    "semi_match",
    "singular_alignment",
    "sinkhorn_matching",
    "sparse_unit_map",
    "spearman_footrule",
    "spectral_unit_match",
    "ssm_change_basis",
    "ssm_diagonalize",
    "straight_through_matching",
    "symmetry_dimension",
    "teleport",
    "unit_correlation",
    "universe_matching",
    "verify",
    "weight_matching",
    "width_matching",
    "with_teleportation",
    "zero_order_hold",
]


def __dir__() -> list[str]:
    """List what is public, not the modules that define it."""
    return sorted(__all__)
