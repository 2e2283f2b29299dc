"""Optimisers for curved parameters: optax transformations and whole solves."""

from geojax.optim.riemannian import riemannian, riemannian_sgd
from geojax.optim.riemannian_adam import RiemannianAdamState, riemannian_adam

__all__ = [
    "RiemannianAdamState",
    "riemannian",
    "riemannian_adam",
    "riemannian_sgd",
]
