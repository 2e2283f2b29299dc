"""Weight-space symmetry: inferred from any JAX function, and put to work."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.symmetry import layers, rankings, units
    from geojax.symmetry.action.acting import act
    from geojax.symmetry.action.elements import compose, identity, inverse, random_element
    from geojax.symmetry.action.facts import VerifyResult
    from geojax.symmetry.action.groups import Group
    from geojax.symmetry.action.spec import SymmetrySpec
    from geojax.symmetry.inference.collect import collect
    from geojax.symmetry.inference.dimension import (
        functional_dimension,
        hidden_symmetry_defect,
        orbit_dimension,
        symmetry_dimension,
    )
    from geojax.symmetry.inference.infer import infer
    from geojax.symmetry.inference.own_rules import check_rule, rule
    from geojax.symmetry.inference.verify import verify
    from geojax.symmetry.intertwiners.drawings.drawing import Diagram, diagrams
    from geojax.symmetry.intertwiners.generators import commutant
    from geojax.symmetry.intertwiners.plans.maps import LinearMaps, linear_maps
    from geojax.symmetry.intertwiners.reading.declaring import declare
    from geojax.symmetry.intertwiners.reading.reading_maps import equivariance
    from geojax.symmetry.intertwiners.reading.report import Equivariance
    from geojax.symmetry.matching.across_widths import width_matching
    from geojax.symmetry.matching.by_activations import activation_matching
    from geojax.symmetry.matching.by_weights import MatchingResult, weight_matching
    from geojax.symmetry.matching.frank_wolfe import frank_wolfe_matching
    from geojax.symmetry.matching.sinkhorn import sinkhorn_matching
    from geojax.symmetry.matching.straight_through import straight_through_matching
    from geojax.symmetry.matching.universe import universe_matching
    from geojax.symmetry.orbits.asymmetry import (
        AsymmetricMask,
        apply_asymmetric,
        asymmetric_mask,
        automorphism_count,
    )
    from geojax.symmetry.orbits.canonical import (
        canonical_permutation,
        canonicalize,
        fold_scales,
        permutation_count,
    )
    from geojax.symmetry.orbits.rescaling import RescalingResult, min_norm_rescaling
    from geojax.symmetry.orbits.teleport import TeleportResult, teleport, with_teleportation

__all__ = [
    "AsymmetricMask",
    "Diagram",
    "Equivariance",
    "Group",
    "LinearMaps",
    "MatchingResult",
    "RescalingResult",
    "SymmetrySpec",
    "TeleportResult",
    "VerifyResult",
    "act",
    "activation_matching",
    "apply_asymmetric",
    "asymmetric_mask",
    "automorphism_count",
    "canonical_permutation",
    "canonicalize",
    "check_rule",
    "collect",
    "commutant",
    "compose",
    "declare",
    "diagrams",
    "equivariance",
    "fold_scales",
    "frank_wolfe_matching",
    "functional_dimension",
    "hidden_symmetry_defect",
    "identity",
    "infer",
    "inverse",
    "layers",
    "linear_maps",
    "min_norm_rescaling",
    "orbit_dimension",
    "permutation_count",
    "random_element",
    "rankings",
    "rule",
    "sinkhorn_matching",
    "straight_through_matching",
    "symmetry_dimension",
    "teleport",
    "units",
    "universe_matching",
    "verify",
    "weight_matching",
    "width_matching",
    "with_teleportation",
]

_DEFINED_IN = {
    "AsymmetricMask": "geojax.symmetry.orbits.asymmetry",
    "Diagram": "geojax.symmetry.intertwiners.drawings.drawing",
    "Equivariance": "geojax.symmetry.intertwiners.reading.report",
    "Group": "geojax.symmetry.action.groups",
    "LinearMaps": "geojax.symmetry.intertwiners.plans.maps",
    "MatchingResult": "geojax.symmetry.matching.by_weights",
    "RescalingResult": "geojax.symmetry.orbits.rescaling",
    "SymmetrySpec": "geojax.symmetry.action.spec",
    "TeleportResult": "geojax.symmetry.orbits.teleport",
    "VerifyResult": "geojax.symmetry.action.facts",
    "act": "geojax.symmetry.action.acting",
    "activation_matching": "geojax.symmetry.matching.by_activations",
    "apply_asymmetric": "geojax.symmetry.orbits.asymmetry",
    "asymmetric_mask": "geojax.symmetry.orbits.asymmetry",
    "automorphism_count": "geojax.symmetry.orbits.asymmetry",
    "canonical_permutation": "geojax.symmetry.orbits.canonical",
    "canonicalize": "geojax.symmetry.orbits.canonical",
    "check_rule": "geojax.symmetry.inference.own_rules",
    "collect": "geojax.symmetry.inference.collect",
    "commutant": "geojax.symmetry.intertwiners.generators",
    "compose": "geojax.symmetry.action.elements",
    "declare": "geojax.symmetry.intertwiners.reading.declaring",
    "diagrams": "geojax.symmetry.intertwiners.drawings.drawing",
    "equivariance": "geojax.symmetry.intertwiners.reading.reading_maps",
    "fold_scales": "geojax.symmetry.orbits.canonical",
    "frank_wolfe_matching": "geojax.symmetry.matching.frank_wolfe",
    "functional_dimension": "geojax.symmetry.inference.dimension",
    "hidden_symmetry_defect": "geojax.symmetry.inference.dimension",
    "identity": "geojax.symmetry.action.elements",
    "infer": "geojax.symmetry.inference.infer",
    "inverse": "geojax.symmetry.action.elements",
    "layers": "geojax.symmetry.layers",
    "linear_maps": "geojax.symmetry.intertwiners.plans.maps",
    "min_norm_rescaling": "geojax.symmetry.orbits.rescaling",
    "orbit_dimension": "geojax.symmetry.inference.dimension",
    "permutation_count": "geojax.symmetry.orbits.canonical",
    "random_element": "geojax.symmetry.action.elements",
    "rankings": "geojax.symmetry.rankings",
    "rule": "geojax.symmetry.inference.own_rules",
    "sinkhorn_matching": "geojax.symmetry.matching.sinkhorn",
    "straight_through_matching": "geojax.symmetry.matching.straight_through",
    "symmetry_dimension": "geojax.symmetry.inference.dimension",
    "teleport": "geojax.symmetry.orbits.teleport",
    "units": "geojax.symmetry.units",
    "universe_matching": "geojax.symmetry.matching.universe",
    "verify": "geojax.symmetry.inference.verify",
    "weight_matching": "geojax.symmetry.matching.by_weights",
    "width_matching": "geojax.symmetry.matching.across_widths",
    "with_teleportation": "geojax.symmetry.orbits.teleport",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
