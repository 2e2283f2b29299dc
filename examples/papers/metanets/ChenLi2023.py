"""NeuRBF: A Neural Fields Representation with Adaptive Radial Basis Functions [ChenLi2023].

Claim: radial bases whose places and shapes follow the signal represent it better than bases on a grid, with as many
    parameters; their values behind sines of several frequencies represent more.

Differs: one planted edge, a thin line in the plane at an angle drawn for each seed, on 32 x 32 points and 36 Gaussians,
    fitted by least squares; the paper fits images, distance fields and scenes with a small network behind the bases.
    Weighted k-means places the bases; each takes the shape of its cluster. With sines each basis has three features.
    A step in place of the line, is no claim: there the adaptive bases were not reliably ahead of the grid.
"""

import jax
import jax.numpy as jnp

from examples.papers.harness import Claim, Size, above, below
from geojax.metanets import rbf_field

SIDE, NUM = 32, 36
GRID = jnp.stack(jnp.meshgrid(*[(jnp.arange(SIDE) + 0.5) / SIDE] * 2, indexing="ij"), -1).reshape(-1, 2)
GRID = GRID.astype(jnp.float32)


def gaussian(u):
    """One number for each basis."""
    return jnp.exp(-u @ u / 2)


def sines(u):
    """The same behind sines of three frequencies."""
    return jnp.sin(jnp.array([1.0, 2.0, 4.0], jnp.float32) * gaussian(u))


def fitted(centers, shapes, image, kernel):
    """The field with the best features, and its PSNR."""
    width = kernel(jnp.zeros(2)).size
    unit = jnp.eye(NUM * width, dtype=jnp.float32)
    theta = {"centers": centers, "shapes": shapes}
    features = unit.reshape((NUM, *kernel(jnp.zeros(2)).shape, NUM * width))
    columns = jax.vmap(lambda x: rbf_field({**theta, "features": features}, x, kernel=kernel))(GRID)
    best = jnp.linalg.solve(columns.T @ columns + 1e-4 * unit, columns.T @ image)
    theta["features"] = best.reshape((*features.shape[:-1], 1))
    return theta, psnr(theta, image, kernel)


def psnr(theta, image, kernel=gaussian):
    """Of the field, against the image."""
    values = jax.vmap(lambda x: rbf_field(theta, x, kernel=kernel))(GRID)[:, 0]
    return -10 * jnp.log10(jnp.mean((values - image) ** 2))


def placed(key, weights):
    """Centers of weighted k-means, and shapes that make each basis as wide as its cluster."""
    start = GRID[jax.random.choice(key, len(GRID), (NUM,), replace=False, p=weights)]

    def members(centers):
        near = jnp.argmin(jnp.sum((GRID[:, None] - centers) ** 2, -1), 1)
        return jax.nn.one_hot(near, NUM).T * weights

    def step(centers, _):
        share = members(centers)
        total = share.sum(1, keepdims=True)
        return jnp.where(total > 0, share @ GRID / jnp.maximum(total, 1e-12), centers), None

    centers, _ = jax.lax.scan(step, start, length=30)
    share = members(centers)
    share = share / jnp.maximum(share.sum(1, keepdims=True), 1e-12)
    offsets = GRID - centers[:, None]
    spread = jnp.einsum("mp,mpi,mpj->mij", share, offsets, offsets) + jnp.eye(2) / SIDE**2
    return centers, jnp.linalg.cholesky(jnp.linalg.inv(2 * spread)).mT


def run(size: Size) -> list[Claim]:
    """Fit a planted edge on a grid of bases and on bases that follow it."""
    steps = 200 if size.full else 100
    corners = jnp.linspace(1 / 12, 11 / 12, 6, dtype=jnp.float32)
    grid = jnp.stack(jnp.meshgrid(corners, corners, indexing="ij"), -1).reshape(-1, 2)
    equal = jnp.tile(jnp.eye(2, dtype=jnp.float32) * 6, (NUM, 1, 1))

    def compare(key):
        turn, place = jax.random.split(key)
        angle = jax.random.uniform(turn, (), jnp.float32, 0.2, 1.3)
        normal = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        image = jnp.exp(-jnp.square(20 * ((GRID - 0.5) @ normal)))
        weights = (image + 0.005) / jnp.sum(image + 0.005)
        adapted = placed(place, weights)
        theta, ours = fitted(*adapted, image, gaussian)
        _, fixed = fitted(grid, equal, image, gaussian)
        _, waved = fitted(*adapted, image, sines)

        def loss(theta):
            return -psnr(theta, image)

        def train(now, _):
            return jax.tree.map(lambda a, b: a - 1e-5 * b, now, jax.grad(loss)(now)), None

        trained, _ = jax.lax.scan(train, theta, length=steps)
        push = jnp.zeros((NUM, 2)).at[0].set(1e-3)
        moved = [loss({**theta, "centers": theta["centers"] + sign * push}) for sign in (1, -1)]
        slope = jax.grad(loss)(theta)["centers"]
        wrong = jnp.abs((moved[0] - moved[1]) / 2 - jnp.sum(slope * push)) / (
            1e-3 * jnp.linalg.norm(slope[0])
        )
        return ours - fixed, waved - ours, psnr(trained, image) - ours, wrong

    gain, waves, training, wrong = size.seeds(compare)
    return [
        Claim("PSNR of an edge, adaptive bases minus a grid of as many", "above 0", gain, above(1)),
        Claim("more with sines of three frequencies", "above 0", waves, above(0)),
        Claim("more when places and shapes are trained too", "above 0", training, above(0)),
        Claim(
            "derivative by a place against a difference quotient, in parts of the slope",
            "0",
            wrong,
            below(0.05),
        ),
    ]
