"""Spheres and spaces made of them."""
