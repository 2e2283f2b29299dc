"""Products, powers and quotients by permutations."""
