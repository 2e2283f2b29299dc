"""Populations of trained networks: training, augmenting, describing them."""
