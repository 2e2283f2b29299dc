"""Cases of the optimisers; each family has a module of its own, gathered here."""

CASES = []

DATA = {}
