"""What takes a function and a group: errors, averages, projections, generators."""
