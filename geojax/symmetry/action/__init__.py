"""The group and its action: specs, elements, and how they move parameters."""
