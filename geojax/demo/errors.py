"""Errors that the person who started the demonstration can correct."""


class DemoError(Exception):
    """One line for the terminal: what is wrong, where, and how to correct it."""
