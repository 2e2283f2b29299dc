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
from geojax.symmetry.collect import collect as collect
from geojax.symmetry.groups import Group as Group
from geojax.symmetry.infer import infer as infer
from geojax.symmetry.spec import SymmetrySpec as SymmetrySpec
from geojax.symmetry.spec import VerifyResult as VerifyResult
from geojax.symmetry.verify import verify as verify
from geojax.symmetry.weight_matching import weight_matching as weight_matching
