"""Paths and planes between models, and what a loss does along them."""
