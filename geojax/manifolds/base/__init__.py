"""What every space has, and Euclidean space."""
