"""Inference: the symmetry group of a program, read off its jaxpr and verified."""
