"""Ascent over the group: the objective of matching by weights, and the steps that raise it."""
