"""Couplings of low rank, for measures of very many points: a front door to the solvers of ott."""
