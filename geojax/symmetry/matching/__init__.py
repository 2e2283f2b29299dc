"""Matchers: the element of the group that moves one model onto another."""
