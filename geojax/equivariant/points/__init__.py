"""Layers for points in space."""
