"""Transport on the line and on the circle."""
