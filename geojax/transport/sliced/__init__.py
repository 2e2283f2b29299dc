"""Sliced transport: distances by projections on lines."""
