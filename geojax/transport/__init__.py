"""Optimal transport: couplings, distances, barycentres, and their gradients."""

from geojax.transport.assignment import assignment, assignment_cost
from geojax.transport.sinkhorn import SinkhornResult, sinkhorn

__all__ = ["SinkhornResult", "assignment", "assignment_cost", "sinkhorn"]
