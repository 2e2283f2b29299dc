"""Exact transport between finite sets: assignments and what is built on them."""
