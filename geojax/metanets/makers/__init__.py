"""Functions that make parameters, and bounds on what parameters do."""
