"""Optimal transport: couplings, distances, barycentres, and their gradients."""

from geojax.transport.assignment import assignment as assignment
from geojax.transport.assignment import assignment_cost as assignment_cost

__all__ = ["assignment", "assignment_cost"]
