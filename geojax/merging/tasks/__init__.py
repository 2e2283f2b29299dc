"""Merging differences from a common base: task vectors, masks, signatures."""
