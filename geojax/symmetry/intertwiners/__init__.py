"""Equivariant linear maps: specs written by hand, read off a function, and the maps between them."""
