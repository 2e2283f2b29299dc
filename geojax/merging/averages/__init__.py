"""Averages of models, plain and weighted."""
