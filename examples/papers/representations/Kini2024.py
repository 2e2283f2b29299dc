"""Symmetric Neural-Collapse Representations with Supervised Contrastive Loss: The Impact of ReLU and
Batching [Kini2024].

Claim: with nonnegative features the minimisers of the supervised contrastive loss are orthogonal frames of class
    means, whatever the sizes of the classes; without that constraint the classes' sizes bend the geometry.

Differs: the theorem is about free features, and free features are what is trained here: 46 vectors in 8 dimensions, of
    classes in the ratio 10 : 3 : 1 : 1. The paper also trains ResNets with a ReLU at the end. A descent stops short of
    the minimum, so that the defect is small and not zero.
"""

import jax
import jax.numpy as jnp
import optax

from examples.papers.harness import Claim, Size, above, below, fit

SIZES = (30, 10, 3, 3)


def contrastive(z, labels, temperature=0.3):
    """The supervised contrastive loss of unit vectors."""
    other = ~jnp.eye(len(labels), dtype=bool)
    same = (labels[:, None] == labels) & other
    scores = z @ z.T / temperature
    logs = scores - jax.nn.logsumexp(jnp.where(other, scores, -jnp.inf), axis=1, keepdims=True)
    return -jnp.mean(jnp.sum(jnp.where(same, logs, 0), axis=1) / same.sum(1))


def defects(z, labels):
    """How far the directions of the class means are from orthogonal, and the spread within classes."""
    sums = jax.ops.segment_sum(z, labels, len(SIZES))
    means = sums / jnp.linalg.norm(sums, axis=1, keepdims=True)
    return jnp.linalg.norm(means @ means.T - jnp.eye(len(SIZES))), jnp.mean(1 - jnp.sum(z * means[labels], 1))


def run(size: Size) -> list[Claim]:
    """Descend the loss over free features, with the constraint and without it."""
    labels = jnp.repeat(jnp.arange(len(SIZES)), jnp.array(SIZES), total_repeat_length=sum(SIZES))

    def trained(constrain):
        def features(w):
            w = constrain(w)
            return w / jnp.linalg.norm(w, axis=1, keepdims=True)

        def init(key):
            return jax.random.normal(key, (len(labels), 8))

        steps = 4000 if size.full else 1500
        train = fit(lambda w, _: contrastive(features(w), labels), init, optax.adam(3e-2), steps)
        return lambda key: defects(features(train(key)[0]), labels)

    (frame, spread), (bent, _) = size.seeds(trained(jnp.abs)), size.seeds(trained(lambda w: w))
    return [
        Claim(
            "distance of the class means from an orthogonal frame, nonnegative features",
            "0",
            frame,
            below(0.1),
        ),
        Claim("spread within a class, nonnegative features", "0", spread, below(0.01)),
        Claim("distance from an orthogonal frame, free signs", "above 0", bent, above(0.3)),
    ]
