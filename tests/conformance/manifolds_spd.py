"""Cases of the spaces of positive definite matrices, and of what normalises on them."""

from geojax.manifolds import SPDAffineInvariant
from tests.conformance.manifold_case import case

CASES = [
    case(SPDAffineInvariant(), (2, 2)),
]

DATA: dict[str, str] = {}
