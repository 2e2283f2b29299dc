"""Gromov-Wasserstein: distances between metric measures."""
