"""Matrix groups."""
