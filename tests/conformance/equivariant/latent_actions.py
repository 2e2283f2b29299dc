"""Cases of matrices of latent actions, and their blocks."""

import jax
import jax.numpy as jnp

from geojax.equivariant import joint_blocks, latent_action
from tests.conformance.case import Case


def latents(key, dtype):
    return tuple(jax.random.normal(k, (4, 2), dtype) for k in jax.random.split(key))


def rotation(key, dtype):
    angle = jax.random.uniform(key, (), dtype, 0.5, 1)
    c, s = jnp.cos(angle), jnp.sin(angle)
    return jnp.array([[c, -s], [s, c]], dtype)[None], jax.random.key(0)


CASES = [
    Case(
        "latent_action",
        latent_action,
        latents,
        differentiable=(0, 1),
        edges={
            "zero": lambda dtype: (jnp.zeros((4, 2), dtype), jnp.ones((4, 2), dtype)),
            "of rank one": lambda dtype: (jnp.ones((4, 2), dtype), jnp.ones((4, 2), dtype)),
        },
    ),
    Case(
        "joint_blocks",
        joint_blocks,
        rotation,
        call=lambda matrices, key: joint_blocks(matrices, key=key),
        exemptions=dict.fromkeys(
            ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges"),
            "documented as not differentiated: the basis jumps where the blocks do",
        ),
        tolerance=1e-9,
    ),
]
