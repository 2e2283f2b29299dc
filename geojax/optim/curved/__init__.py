"""Steps on curved parameters: Riemannian transformations and minimisers."""
