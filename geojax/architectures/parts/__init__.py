"""Parts of the architectures: fields of configurations, layers, attention, and the value that they return."""
