"""Statistics of points: means, medians, principal directions, regression."""
