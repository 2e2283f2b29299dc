"""Weight-space symmetry: inferred from any JAX function, and put to work."""

# The rules register themselves when they are imported.
from geojax.symmetry import rules, rules_control, rules_indexing, rules_products  # noqa: F401
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
from geojax.symmetry.groups import Group
from geojax.symmetry.infer import infer
from geojax.symmetry.spec import SymmetrySpec, VerifyResult
from geojax.symmetry.verify import verify
from geojax.symmetry.weight_matching import MatchingResult, weight_matching

__all__ = [
    "Group",
    "MatchingResult",
    "RescalingResult",
    "SymmetrySpec",
    "VerifyResult",
    "act",
    "activation_matching",
    "canonical_permutation",
    "canonicalize",
    "collect",
    "compose",
    "fold_scales",
    "functional_dimension",
    "identity",
    "infer",
    "inverse",
    "min_norm_rescaling",
    "orbit_dimension",
    "permutation_count",
    "random_element",
    "verify",
    "weight_matching",
]
