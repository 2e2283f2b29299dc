"""Optimal transport: couplings, distances, barycentres, and their gradients."""

from geojax.transport.assignment import assignment, assignment_cost
from geojax.transport.divergence import sinkhorn_divergence
from geojax.transport.newton import sinkhorn_newton
from geojax.transport.sinkhorn import SinkhornResult, sinkhorn
from geojax.transport.unbalanced import unbalanced_sinkhorn
from geojax.transport.univariate import wasserstein_1d

__all__ = [
    "SinkhornResult",
    "assignment",
    "assignment_cost",
    "sinkhorn",
    "sinkhorn_divergence",
    "sinkhorn_newton",
    "unbalanced_sinkhorn",
    "wasserstein_1d",
]
