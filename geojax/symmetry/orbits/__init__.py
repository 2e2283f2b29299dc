"""Orbits of a model: canonical points, balanced points, teleportation, asymmetry."""
