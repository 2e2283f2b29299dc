"""Optimisers for curved parameters: optax transformations and whole solves."""

from geojax.optim.barzilai_borwein import BarzilaiBorwein
from geojax.optim.lbfgs import LBFGS
from geojax.optim.minimize import MinimizeResult, minimize
from geojax.optim.riemannian import riemannian, riemannian_sgd
from geojax.optim.riemannian_adam import RiemannianAdamState, riemannian_adam
from geojax.optim.trust_region import TrustRegion

__all__ = [
    "LBFGS",
    "BarzilaiBorwein",
    "MinimizeResult",
    "RiemannianAdamState",
    "TrustRegion",
    "minimize",
    "riemannian",
    "riemannian_adam",
    "riemannian_sgd",
]
