"""FAENet: Frame Averaging Equivariant GNN for Materials Modeling [Duval2023].

Claim: trained on one random element of its principal frame for each structure, a network without any constraint comes
    to nearly the same answer on all elements, at an error near that of averages over the whole frame, and at a cost
    that is smaller by the number of elements.

Differs: clusters of three points with a pair potential as their energy, and a perceptron of all coordinates, where the
    paper has catalysts and molecules and a graph network. Cost is counted in operations of one step of training.
"""

import jax
import jax.numpy as jnp
import optax

from examples.papers.harness import Claim, Size, above, below, fit, flops, mlp
from geojax.equivariant import pca_frame, sampled, symmetrize

BUDGET = 15  # processor seconds at quick size, nearly all of them to compile
POINTS, NUM = 3, 128


def move(g, x):
    """Points moved by a rigid motion."""
    return x @ g[:3, :3].T + g[:3, 3]


def energy(x):
    """A soft repulsion of pairs, and a trap."""
    squares = jnp.sum((x[:, None] - x) ** 2, axis=-1)
    return (jnp.sum(jnp.exp(-squares)) - POINTS) / 2 + jnp.mean((x - jnp.mean(x, axis=0)) ** 2)


def move_back(g, x):
    """Points moved by its inverse."""
    return (x - g[:3, 3]) @ g[:3, :3]


def clusters(key):
    """Clusters, and their energies."""
    x = jax.random.normal(key, (NUM, POINTS, 3)) * jnp.array([1.5, 1.0, 0.6])
    return x, jax.vmap(energy)(x)


def run(size: Size) -> list[Claim]:
    """Train on one element and on all; count operations; look at the spread over elements."""
    init, apply = mlp((3 * POINTS, 64, 1), jax.nn.gelu)
    predict = lambda params: lambda x: apply(params, x.ravel())[0]  # noqa: E731
    leave = lambda g, y: y  # noqa: E731

    def averaged(params, frame):
        return symmetrize(predict(params), frame, move, leave)

    def on_one(params, batch):
        x, y, keys = batch
        found = jax.vmap(lambda x, key: averaged(params, sampled(pca_frame, key=key))(x))(x, keys)
        return jnp.mean((found - y) ** 2)

    def on_all(params, batch):
        return jnp.mean((jax.vmap(averaged(params, pca_frame))(batch[0]) - batch[1]) ** 2)

    def one(key):
        keys = jax.random.split(key, 4)
        (x, y), fresh = clusters(keys[0]), clusters(keys[1])

        def on_one_of(key):
            return x, y, jax.random.split(key, NUM)

        def measured(params):
            """The share of the variance of the outputs that is over elements, and the error of their means."""
            f = predict(params)
            outputs = jax.vmap(
                lambda x: jax.vmap(f)(jax.vmap(move_back, (0, None))(pca_frame(x).elements, x))
            )(fresh[0])
            share = jnp.mean(jnp.var(outputs, axis=1)) / jnp.var(outputs)
            return share, jnp.mean((jnp.mean(outputs, axis=1) - fresh[1]) ** 2) / jnp.var(fresh[1])

        steps = 3000 if size.full else 600
        few, all_of_them = (
            fit(loss, init, optax.adam(5e-3), steps, batches=on_one_of)(keys[2])[0]
            for loss in (on_one, on_all)
        )
        found = jax.vmap(measured)(
            jax.tree.map(lambda *leaves: jnp.stack(leaves), init(keys[3]), few, all_of_them)
        )
        return found, (few, on_one_of(keys[2]))

    (spread, error), example = size.seeds(one)
    params, batch = jax.tree.map(lambda leaf: leaf[0], example)
    cost = [flops(jax.grad(loss), params, batch) for loss in (on_all, on_one)]
    return [
        Claim(
            "share of the variance that is over elements, before training", "much", spread[:, 0], above(0.2)
        ),
        Claim("the same, trained on one random element", "a few percent", spread[:, 1], below(0.1)),
        Claim(
            "error over variance, trained on one, answered by all",
            "near that of all",
            error[:, 1],
            below(0.5),
        ),
        Claim("its error over that of training on all", "about 1", error[:, 1] / error[:, 2], below(2)),
        Claim("operations of a step on all 8, over one on one", "about 8", cost[0] / cost[1], above(5)),
    ]
