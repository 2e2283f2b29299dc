"""Reading JAX programs: the parameters of equations, the walk over them, arguments, and observed arrays."""
