"""Transport between Gaussians and their mixtures."""
