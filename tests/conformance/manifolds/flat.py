"""Cases of the flat space and the round one, and what every space returns."""

from geojax.manifolds import Euclidean, Sphere
from tests.conformance.manifold_case import case

CASES = [
    case(Euclidean(), (3,)),
    case(Sphere(), (4,)),
]

DATA = {
    "LogResult": "what log_with_info returns",
    "Manifold": "the base class, whose operations the spaces fill in",
}
