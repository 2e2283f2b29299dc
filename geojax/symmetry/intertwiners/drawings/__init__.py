"""Diagrams: which axes of an output and an input may have one index, and the maps that they are."""
