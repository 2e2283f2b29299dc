"""Geometry of the step: norms and their steepest descent, radial projections, scalings of factors."""
