"""Entropic transport: Sinkhorn, its relatives and what is made of its potentials."""
