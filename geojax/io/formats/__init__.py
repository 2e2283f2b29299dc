"""File formats: safetensors, flax, orbax."""
