"""Orthonormal frames and the subspaces that they span."""
