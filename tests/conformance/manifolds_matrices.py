"""Cases of the manifolds of matrices: frames, subspaces, groups."""

from geojax.manifolds import Grassmann, SpecialOrthogonal, Stiefel
from tests.conformance.manifold_case import EVERY, case

NO_TRANSPORT = tuple(name for name in EVERY if name != "parallel_transport")

CASES = [
    case(Grassmann(), (4, 2)),
    case(SpecialOrthogonal(), (4, 4)),
    case(Stiefel(0.8), (4, 2), operations=NO_TRANSPORT),
]
