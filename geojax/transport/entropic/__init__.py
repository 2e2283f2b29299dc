"""Entropic transport: Sinkhorn, its relatives, and the maps and distances that follow from its potentials."""
