"""Cases of products, powers, quotients and the spaces of constant curvature."""

from geojax.manifolds import Euclidean, Hyperbolic, Lorentz, PoincareBall, Power, Product, Sphere
from tests.conformance.manifold_case import case

CASES = [
    case(Product({"a": Sphere(), "b": (Euclidean(), Euclidean())}), {"a": (3,), "b": ((2,), (2,))}),
    case(Power(Sphere()), (2, 3)),
    case(PoincareBall(), (3,)),
    case(Lorentz(), (3,)),
    case(Hyperbolic(), (2,)),
]
