"""The architectures, one a file: configuration, apply function and names of tensors."""
