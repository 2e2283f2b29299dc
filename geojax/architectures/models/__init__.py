"""The architectures, one in each file: configuration, apply function and names of tensors."""
