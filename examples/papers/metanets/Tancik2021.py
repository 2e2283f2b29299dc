"""Learned Initializations for Optimizing Coordinate-Based Neural Representations [Tancik2021].

Claim: initial weights that are learned on signals of one class let a coordinate network fit a new signal of that class
    in a few steps, where random weights do not.

Differs: 8 x 8 digits, 40 to learn from and 40 held out, a field 2-32-1 with 16 Fourier features, and two steps of
    descent; the paper has faces, cities, tomography and scenes. MAML takes plain descent here and Adam in the paper.
"""

import functools

import jax
import jax.numpy as jnp

from examples.papers.harness import Claim, Size, above, digits, in_turn
from geojax.metanets import coordinate_field, coordinate_field_init, meta_init

GRID = jnp.stack(jnp.meshgrid(*[jnp.arange(8.0, dtype=jnp.float32) / 8] * 2, indexing="ij"), -1).reshape(
    64, 2
)
INNER = {"inner_rate": 0.05, "inner_steps": 2}


def error(theta, image):
    """Mean squared error of the field on an image."""
    return jnp.mean((jax.vmap(lambda x: coordinate_field(theta, x))(GRID)[:, 0] - image) ** 2)


def psnr(theta, images):
    """Of the images, each fitted in two steps from the given weights."""

    def fitted(image):
        now = theta
        for _ in range(INNER["inner_steps"]):
            now = jax.tree.map(lambda a, b: a - INNER["inner_rate"] * b, now, jax.grad(error)(now, image))
        return -10 * jnp.log10(error(now, image))

    return jnp.mean(jax.vmap(fitted)(images))


def run(size: Size) -> list[Claim]:
    """Learn initial weights by MAML and by Reptile; fit digits that they have not seen."""
    (train, _), (test, _) = digits()
    train, test = jnp.asarray(train[:40]), jnp.asarray(test[:40])
    steps = 400 if size.full else 300

    def compare(key):
        theta = coordinate_field_init((2, 32, 1), key=key, num_frequencies=16, scale=jnp.float32(1.0))
        learn = functools.partial(meta_init, error, train, theta, **INNER, num_steps=steps)
        starts = theta, learn(rate=0.03), learn(rate=0.3, first_order=True)
        return jnp.stack([psnr(start, test) for start in starts])

    found = size.seeds(compare, batch=in_turn)
    plain, maml, reptile = found.T
    return [
        Claim("PSNR on held-out digits, learned minus random weights", "above 0", maml - plain, above(3)),
        Claim("Reptile minus random weights", "above 0", reptile - plain, above(3)),
    ]
