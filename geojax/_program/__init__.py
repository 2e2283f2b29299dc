"""Reading JAX programs: parameters of equations, the walk over them, arguments and activations."""
