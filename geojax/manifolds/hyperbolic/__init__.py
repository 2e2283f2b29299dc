"""Hyperbolic space in its models."""
