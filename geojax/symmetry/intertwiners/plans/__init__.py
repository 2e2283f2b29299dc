"""Equivariant linear maps between trees: which there are, and how all of them are applied at once."""
