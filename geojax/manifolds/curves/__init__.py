"""Curves and transport along them."""
