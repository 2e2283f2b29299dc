"""Products and parts of tensors, multivectors and spherical functions."""
