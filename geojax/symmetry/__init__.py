"""Weight-space symmetry: inferred from any JAX function, and put to work."""

from geojax.symmetry import rules as _rules  # noqa: F401
from geojax.symmetry import rules_control as _rules_control  # noqa: F401
from geojax.symmetry import rules_indexing as _rules_indexing  # noqa: F401
from geojax.symmetry import rules_products as _rules_products  # noqa: F401
from geojax.symmetry.action import act as act
from geojax.symmetry.action import compose as compose
from geojax.symmetry.action import identity as identity
from geojax.symmetry.action import inverse as inverse
from geojax.symmetry.action import random_element as random_element
from geojax.symmetry.activation_matching import activation_matching as activation_matching
from geojax.symmetry.canonical import RescalingResult as RescalingResult
from geojax.symmetry.canonical import canonical_permutation as canonical_permutation
from geojax.symmetry.canonical import canonicalize as canonicalize
from geojax.symmetry.canonical import fold_scales as fold_scales
from geojax.symmetry.canonical import min_norm_rescaling as min_norm_rescaling
from geojax.symmetry.canonical import permutation_count as permutation_count
from geojax.symmetry.collect import collect as collect
from geojax.symmetry.dimension import functional_dimension as functional_dimension
from geojax.symmetry.dimension import orbit_dimension as orbit_dimension
from geojax.symmetry.groups import Group as Group
from geojax.symmetry.infer import infer as infer
from geojax.symmetry.spec import SymmetrySpec as SymmetrySpec
from geojax.symmetry.spec import VerifyResult as VerifyResult
from geojax.symmetry.verify import verify as verify
from geojax.symmetry.weight_matching import weight_matching as weight_matching
