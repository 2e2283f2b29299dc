"""Cases of frames."""

import jax
import jax.numpy as jnp

from geojax.equivariant import pca_frame
from tests.conformance.case import Case


def cloud(key, dtype):
    """Points whose axes are clearly apart."""
    stretch = jnp.array([3.0, 1.0], dtype)
    return jax.random.normal(key, (4, 2), dtype) / 4 + jnp.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * stretch


def elements(frame):
    return frame.elements


CASES = [
    Case(
        "pca_frame",
        pca_frame,
        lambda key, dtype: (cloud(key, dtype), jnp.arange(1, 5).astype(dtype)),
        differentiable=(0, 1),
        output=elements,
        edges={
            "tied axes": lambda dtype: (
                jnp.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype),
                jnp.ones(4, dtype),
            ),
            "one point": lambda dtype: (jnp.ones((4, 2), dtype), jnp.ones(4, dtype)),
            "no weight": lambda dtype: (jnp.ones((4, 2), dtype), jnp.zeros(4, dtype)),
        },
    ),
]
