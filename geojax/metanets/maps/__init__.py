"""Networks from the equivariant maps of a spec, and what they read."""
