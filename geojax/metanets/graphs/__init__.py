"""Parameters as a graph, and message passing on it."""
