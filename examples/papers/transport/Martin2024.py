"""LCOT: Linear Circular Optimal Transport [Martin2024].

Claim: an embedding of measures on the circle, by their transport from the uniform law, gives a distance that is exact
    to the uniform law, tells measures apart as the exact circular distance does, and needs one transport a measure
    where exact distances need one a pair.

Differs: the paper shows embeddings of von Mises mixtures and of hues of pictures; here mixtures of two von Mises laws,
    five classes of them, are classified by their nearest neighbour. Points stand for the laws, 64 an item.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import geojax as gj
from examples.papers.harness import Claim, Size, above, below, in_turn, seconds

NUM, CLASSES = 64, 5


def items(key, places, shares, per_class):
    """Points [items, NUM] on the circle of length 1 and their classes; each item has centres of its own."""
    keys = jax.random.split(key, 3)
    labels = jnp.repeat(jnp.arange(CLASSES), per_class)
    centres = places[labels] + 0.08 * jax.random.normal(keys[0], (len(labels), 2))
    first = jax.random.uniform(keys[1], (len(labels), NUM)) < shares[labels, None]
    # A von Mises law of concentration 4 is close to a normal one of deviation 1 / 2 radian.
    spread = 0.5 * jax.random.normal(keys[2], first.shape) / (2 * jnp.pi)
    return (jnp.where(first, centres[:, :1], centres[:, 1:]) + spread) % 1, labels


def embed(points):
    """All items' embeddings."""
    return jax.vmap(lambda x: gj.transport.lcot_embedding(x, num=NUM))(points)


def linear(a, b):
    """Distances of all embeddings of one set to those of another."""
    gaps = a[:, None] - b
    return jnp.sqrt(jnp.mean((gaps - jnp.round(gaps)) ** 2, axis=-1))


def exact(x, y):
    """Circular transport distances of all pairs."""
    return jax.vmap(lambda p: jax.vmap(lambda q: gj.transport.circular_wasserstein(p, q))(y))(x)


def discriminated(train, labels, test, wanted):
    """Accuracy of linear discriminants, which the embedding makes possible."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(train, labels).score(test, wanted)


def run(size: Size) -> list[Claim]:
    """Classify by both distances, and compare them."""
    per_class = 20 if size.full else 12

    def one(key):
        keys = jax.random.split(key, 4)
        places = jax.random.uniform(keys[0], (CLASSES, 2))
        shares = jax.random.uniform(keys[1], (CLASSES,), minval=0.3, maxval=0.7)
        (train, labels), (test, wanted) = (items(k, places, shares, per_class) for k in keys[2:])
        near, true = linear(embed(test), embed(train)), exact(test, train)
        right = [jnp.mean(labels[d.argmin(1)] == wanted) for d in (near, true)]
        uniform = (jnp.arange(1024) + 0.5) / 1024
        apart = jax.vmap(lambda x: gj.transport.circular_wasserstein(x, uniform))(test)
        zero = jnp.zeros(NUM)
        off = jnp.abs(linear(embed(test), zero[None])[:, 0] - apart)
        turns = [2 * jnp.pi * embed(points) for points in (train, test)]
        flat = [jnp.concatenate([jnp.cos(t), jnp.sin(t)], axis=1) for t in turns]
        agreement = jnp.corrcoef(near.ravel(), true.ravel())[0, 1]
        return right[0] - right[1], right, agreement, off.max(), (flat[0], labels, flat[1], wanted)

    gain, right, agreement, off, sets = size.seeds(one, 10 if size.full else 16, batch=in_turn)
    straight = np.array([discriminated(*(np.asarray(part[k]) for part in sets)) for k in range(len(gain))])
    linear_right, exact_right = right
    claims = [
        Claim("largest difference of both distances to the uniform law", "0", off, below(0.01)),
        Claim("correlation of both distances over pairs", "close to 1", agreement, above(0.9)),
        Claim(
            "accuracy of the nearest neighbour by the linear distance",
            "learns",
            linear_right,
            above(2 / CLASSES),
        ),
        Claim("accuracy of the nearest neighbour, linear - exact", "about 0", gain, above(-0.1)),
        Claim(
            "the same of discriminants of the embedding - exact",
            "about 0",
            straight - exact_right,
            above(-0.1),
        ),
    ]
    if size.full:
        points = size.seeds(lambda key: jax.random.uniform(key, (100, NUM)), 2)
        whole, quick = jax.jit(exact), jax.jit(lambda x, y: linear(embed(x), embed(y)))
        ratio = seconds(whole, *points) / seconds(quick, *points)
        claims.append(Claim("time of 10,000 pairs, exact / linear", "above 1", ratio, above(1)))
    return claims
