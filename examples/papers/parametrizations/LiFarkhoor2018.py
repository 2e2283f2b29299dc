"""Measuring the Intrinsic Dimension of Objective Landscapes [LiFarkhoor2018].

Claim: a network trained in a random subspace theta_0 + P z of few dimensions reaches 90 % of the accuracy of one
    trained in all, and the dimension at which it does so hardly depends on the network's size.

Differs: the paper needs 750 of the 199,210 dimensions of a perceptron on MNIST; here perceptrons of 2,410 and of
    9,610 parameters learn the 8 x 8 digits, for which 300 dimensions are asked to do (100 gave 0.8, 200 about 0.9).
    Columns of P are random rows of normal numbers of unit length, as in the paper's dense case.
"""

import jax
import jax.numpy as jnp
import optax

from examples.papers.harness import (
    Claim,
    Size,
    above,
    accuracy,
    below,
    cross_entropy,
    digits,
    fit,
    in_turn,
    minibatches,
    mlp,
    sweep,
)


def subspace(key, center, dimension):
    """The map z -> center + P z, with columns of unit length."""
    flat, back = jax.flatten_util.ravel_pytree(center)
    columns = jax.random.normal(key, (dimension, flat.size))
    columns /= jnp.linalg.norm(columns, axis=1, keepdims=True)
    return lambda z: back(flat + z @ columns)


def run(size: Size) -> list[Claim]:
    """Accuracies in few dimensions over those in all, for a narrow and a wide network."""
    train, test = digits()
    steps, batches = 600 if size.full else 200, minibatches(train, 100)

    def ratios(width, dimensions):
        init, apply = mlp((64, width, 10))
        loss, right, most = cross_entropy(apply), accuracy(apply, test), max(dimensions)

        def one(key):
            everywhere = fit(loss, init, optax.adam(1e-2), steps, batches=batches)(key)[0]
            lift = subspace(jax.random.fold_in(key, 1), init(key), most)

            def within(dimension):
                def held(z):
                    return lift(jnp.where(jnp.arange(most) < dimension, z, 0))

                start = jnp.zeros(most)
                inside = fit(
                    lambda z, b: loss(held(z), b), lambda _: start, optax.adam(0.3), steps, batches=batches
                )
                return lambda key: right(held(inside(key)[0]))

            return sweep(within, jnp.array(dimensions))(key) / right(everywhere)

        return size.seeds(one, batch=in_turn).T

    (few, enough), (wide,) = ratios(32, (5, 300)), ratios(128, (300,))
    return [
        Claim("accuracy in 300 of 2,410 dimensions / in all", "0.90 (750 of 199,210)", enough, above(0.9)),
        Claim("accuracy in 5 of 2,410 dimensions / in all", "below 0.90", few, below(0.9)),
        Claim("accuracy in 300 of 9,610 dimensions / in all", "about the same", wide, above(0.9)),
    ]
