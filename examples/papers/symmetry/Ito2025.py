"""Analysis of Linear Mode Connectivity via Permutation-Based Weight Matching: With Insights into Other Permutation
Search Methods [Ito2025].

Claim: renumbering units by their weights hardly shortens the distance between two networks and cannot change their
    singular values; it turns the singular vectors of large singular values towards each other, and that is what
    joins them. For three networks and more, weights are a better guide than the straight-through estimator of the
    loss.

Differs: the paper's networks are perceptrons, VGG and ResNets on MNIST, Fashion-MNIST, CIFAR and ImageNet; here
    perceptrons with two hidden layers of 32 units (64 at full size) on the 8 x 8 digits. The straight-through
    search starts from the match of weights and keeps the best that it met.

Fails: the third network. Weights and loss lead to means of three of nearly the same accuracy here, and on
    Fashion-MNIST the loss leads to the better one (88.1 % against 87.3 % at width 512, 80.2 % against 70.4 % at
    128, in benchmarks/results/alignment.json). The search starts from the match of weights and keeps the best that
    it meets, which the paper's does not; started from no match at all it was no worse on these digits. The sign
    alone is not settled on digits: with 50 steps at width 64 weights were ahead by 0.001 to 0.003 in two trials of
    three triples, within the error, and two hundredths are asked for that reason.
"""

import jax
import jax.numpy as jnp
import optax

import geojax as gj
from examples.papers.harness import (
    Claim,
    Size,
    above,
    accuracy,
    below,
    cross_entropy,
    digits,
    minibatches,
    networks,
)
from geojax.symmetry.units import singular_alignment

TRIPLES = 4


def squared_distance(a, b):
    """Of all weights."""
    return sum(jnp.sum((p - q) ** 2) for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b)))


def alignment(a, b):
    """Mean over layers of how far the singular vectors agree."""
    return sum(singular_alignment(p["w"], q["w"]) for p, q in zip(a, b)) / len(a)


def run(size: Size) -> list[Claim]:
    """Triples of networks, the second and the third matched to the first by weights and by the loss."""
    train, test = digits()
    apply, params = networks(hidden=(64, 64) if size.full else (32, 32), start=size.start)
    loss, batches, right = cross_entropy(apply), minibatches(train, 200), accuracy(apply, test)
    spec = gj.symmetry.infer(apply, jax.tree.map(lambda leaf: leaf[0], params), jnp.asarray(test[0][:8]))
    spec = spec.without(*(name for name, group in spec.members if group.kind != "permutation"))

    search = {"num_steps": 300 if size.full else 100, "optimizer": optax.adam(3e-3)}

    def mean_of(models):
        return right(jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *models))

    @jax.jit
    @jax.vmap
    def one(a, b, c, key):
        def by_weights(other):
            return gj.symmetry.weight_matching(spec, a, other, key=key).element

        def by_loss(other, start):
            return gj.symmetry.straight_through_matching(
                spec, lambda p, key: loss(p, batches(key)), a, other, key=key, init=start, **search
            ).element

        def moved(element, other):
            return gj.symmetry.act(spec, element, other)

        starts = [by_weights(other) for other in (b, c)]
        weights = [moved(start, other) for start, other in zip(starts, (b, c))]
        losses = [moved(by_loss(other, start), other) for start, other in zip(starts, (b, c))]
        values = [jnp.linalg.svd(p[1]["w"], compute_uv=False) for p in (b, weights[0])]
        return (
            jnp.sqrt(squared_distance(a, weights[0]) / squared_distance(a, b)),
            jnp.max(jnp.abs(values[0] - values[1])) / values[0].max(),
            alignment(a, weights[0]) - alignment(a, b),
            mean_of([a, *weights]) - mean_of([a, b, c]),
            mean_of([a, *weights]) - mean_of([a, *losses]),
        )

    thirds = [jax.tree.map(lambda leaf, i=i: leaf[i::3], params) for i in range(3)]
    distance, change, turned, gain, better = one(*thirds, size.seeds(lambda key: key, TRIPLES))
    asked = "above 0 (two hundredths are asked)"
    return [
        Claim("distance, matched / as trained", "not significantly below 1", distance, above(0.7)),
        Claim("relative change of singular values by renumbering", "0", change, below(1e-4)),
        Claim("agreement of singular vectors, matched - as trained", "above 0", turned, above(0.02)),
        Claim("accuracy of the mean of three, matched - as trained", "above 0", gain, above(0)),
        Claim(
            "accuracy of the mean of three, by weights - by loss", asked, better, above(0.02), expected=False
        ),
    ]
