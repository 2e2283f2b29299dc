"""Optimisers for curved parameters: optax transformations and whole solves."""

__all__: list[str] = []
