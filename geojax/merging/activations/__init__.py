"""Merged models whose activations are put right."""
