"""Improving Convergence and Generalization Using Parameter Symmetries [Zhao2024].

Claim: moving the parameters along their level set of the loss to where the gradient is large speeds up optimisation,
    at once and in the long run.

Differs: the paper teleports perceptrons by general linear groups, before steps of SGD, momentum, AdaGrad and
    Adam; here relu perceptrons with 24 hidden units a layer learn 256 digits by full-batch
    gradient descent, and are teleported by their exact positive scalings before the first step, in five steps.

Fails: the speed, at the best learning rate of each and at equal work. A teleport to a steeper place acts like a larger
    learning rate, which can be had for nothing; its five steps cost as much as some twenty steps of descent.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import geojax as gj
from examples.papers.harness import Claim, Size, above, below, cross_entropy, digits, fit, in_turn, mlp, sweep

COST = 20  # gradients: each of five steps is a Hessian-vector product, worth three, and a gradient


def run(size: Size) -> list[Claim]:
    """One teleport, and descents with and without over learning rates."""
    (x, y), _ = digits()
    x, y, steps = x[:256], y[:256], 300 if size.full else 60
    init, apply = mlp((64, 24, 24, 10))
    spec = gj.symmetry.infer(
        apply, jax.tree.map(lambda leaf: leaf[0], size.seeds(init, 1)), jnp.asarray(x[:8])
    )
    loss = cross_entropy(apply)
    rates = jnp.geomspace(0.1, 1.6, 5)

    def value(params):
        return loss(params, (x, y))

    def steepness(params):
        return optax.tree.norm(jax.grad(value)(params))

    def jump(params):
        return gj.symmetry.teleport(spec, value, params, step_size=0.4, max_steps=5).params

    def one(key):
        here = init(jax.random.split(key)[0])
        there = jump(here)

        def trained(start):
            def at(rate):
                return fit(loss, lambda _: start, optax.sgd(rate), steps + COST, batches=lambda _: (x, y))

            return sweep(at, rates)(key)[1]

        change = jnp.abs(value(there) - value(here)) / value(here)
        return change, steepness(there) / steepness(here), trained(here), trained(there)

    change, ratio, plain, moved = size.seeds(one, 10 if size.full else 8, batch=in_turn)
    plain, moved = (np.nan_to_num(np.asarray(curve), nan=np.inf) for curve in (plain, moved))
    first = plain[:, 0, steps] / moved[:, 0, steps]
    best = plain[:, :, steps + COST - 1].min(1), moved[:, :, steps - 1].min(1)
    equal = "loss at equal work and the best rate of each, plain / teleported"
    return [
        Claim("relative change of the loss by a teleport", "0", change, below(1e-4)),
        Claim("norm of the gradient, teleported / not", "above 1", ratio, above(1)),
        Claim("loss after equal steps at a small rate, plain / teleported", "above 1", first, above(1)),
        Claim(equal, "above 1", best[0] / best[1], above(1.05), expected=False),
    ]
