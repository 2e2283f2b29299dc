"""Preconditioners kept in matrix groups and on definite matrices."""
