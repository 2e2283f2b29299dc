"""What the architectures are made of: fields of configurations, layers, attention, and the value they return."""
