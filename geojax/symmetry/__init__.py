"""Weight-space symmetry: inferred from any JAX function, and put to work."""

from geojax.symmetry.action import act, compose, identity, inverse, random_element
from geojax.symmetry.activation_matching import activation_matching
from geojax.symmetry.canonical import (
    RescalingResult,
    canonical_permutation,
    canonicalize,
    fold_scales,
    min_norm_rescaling,
    permutation_count,
)
from geojax.symmetry.collect import collect
from geojax.symmetry.dimension import functional_dimension, orbit_dimension
from geojax.symmetry.frank_wolfe_matching import frank_wolfe_matching
from geojax.symmetry.gradient_matching import straight_through_matching
from geojax.symmetry.groups import Group
from geojax.symmetry.infer import infer
from geojax.symmetry.sinkhorn_matching import sinkhorn_matching
from geojax.symmetry.spec import SymmetrySpec, VerifyResult
from geojax.symmetry.spectral_units import UnitGroupsResult, spectral_unit_match
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

__all__ = [
    "Group",
    "MatchingResult",
    "RescalingResult",
    "SparseMapResult",
    "SymmetrySpec",
    "UnitGroupsResult",
    "VerifyResult",
    "act",
    "activation_matching",
    "bipartite_match",
    "canonical_permutation",
    "canonicalize",
    "collect",
    "compose",
    "fold_scales",
    "frank_wolfe_matching",
    "functional_dimension",
    "identity",
    "infer",
    "inverse",
    "min_norm_rescaling",
    "orbit_dimension",
    "permutation_count",
    "random_element",
    "semi_match",
    "sinkhorn_matching",
    "sparse_unit_map",
    "spectral_unit_match",
    "straight_through_matching",
    "unit_correlation",
    "universe_matching",
    "verify",
    "weight_matching",
]
