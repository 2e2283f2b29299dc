"""What can go wrong that the person who started the demonstration can mend."""


class DemoError(Exception):
    """One line for the terminal: what is wrong, where, and how to mend it."""
