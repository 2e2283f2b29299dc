"""Exponents: which axes may be scaled together."""
