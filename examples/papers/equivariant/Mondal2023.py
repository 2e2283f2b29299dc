"""Equivariant Adaptation of Large Pretrained Models [Mondal2023].

Claim: a small network that turns each image to a standard pose makes any pretrained classifier invariant to rotations.
    The pose that it finds standard may be none that the classifier knows, and accuracy falls; a prior on the poses of
    the data, as a divergence from the distribution over the orbit, keeps it.

Differs: 8 x 8 digits, turned by quarters, and a perceptron with one hidden layer as the pretrained model, which stays
    frozen; the paper has large vision models and point clouds, and also finetunes. Without a prior nothing tells the
    canonicaliser what is upright, and it stays as it is drawn. The prior alone trains it otherwise.
"""

import jax
import jax.numpy as jnp
import numpy as np
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
    minibatches,
    mlp,
)
from geojax.equivariant import by_energy, equivariance_error, symmetrize

TURNS = np.stack([np.rot90(np.arange(64).reshape(8, 8), k).ravel() for k in range(4)])


def turn(g, x):
    """An image turned by a permutation of its pixels."""
    return x[g]


def prior_loss(energies, prior):
    """KL(prior | exp(-E) / sum exp(-E)), the divergence of the distribution over an orbit from the prior."""
    return jnp.sum(jax.scipy.special.xlogy(prior, prior) - prior * jax.nn.log_softmax(-energies))


def orbit_energies(score, x):
    """Energies of the four poses: those of the image turned back by each."""
    return jax.vmap(lambda g: score(x[jnp.argsort(g)]))(jnp.asarray(TURNS))


def adapted(predict, score):
    """The frozen predictor on the pose of least energy."""
    frame = by_energy(lambda g, x: score(x[jnp.argsort(g)]), TURNS)
    return symmetrize(predict, frame, turn, lambda g, y: y)


def run(size: Size) -> list[Claim]:
    """Train a classifier and a canonicaliser for each seed; turn what they have not seen."""
    (train_x, train_y), (x, y) = digits()
    init, apply = mlp((64, 32, 10))
    init_score, apply_score = mlp((64, 64, 1))
    steps = 1000 if size.full else 300
    upright = jnp.eye(4)[0]
    turned = x[np.arange(len(x))[:, None], TURNS[np.arange(len(x)) % 4]]

    def prior_of(params, batch):
        score = lambda x: apply_score(params, x)[0]  # noqa: E731
        return jnp.mean(jax.vmap(lambda x: prior_loss(orbit_energies(score, x), upright))(batch[0]))

    batches = minibatches((train_x, train_y), 100)
    pretrain = fit(cross_entropy(apply), init, optax.adam(3e-3), steps, batches=batches)
    learn = fit(prior_of, init_score, optax.adam(3e-3), steps, batches=batches)

    def one(key):
        keys = jax.random.split(key, 3)
        frozen, _ = pretrain(keys[0])
        predict = lambda x: apply(frozen, x)  # noqa: E731

        def measured(params):
            score = lambda x: apply_score(params, x)[0]  # noqa: E731
            f = adapted(predict, score)
            right = [accuracy(lambda _, x: jax.vmap(f)(x), (data, y))(None) for data in (x, turned)]
            error = lambda x: equivariance_error(f, turn, lambda g, y: y, TURNS, x).worst  # noqa: E731
            kept = jax.vmap(lambda x: jnp.argmin(orbit_energies(score, x)) == 0)(x)
            return *right, jnp.max(jax.vmap(error)(x[:100])), jnp.mean(kept)

        plain = [accuracy(lambda p, x: apply(p, x), (data, y))(frozen) for data in (x, turned)]
        both = jax.tree.map(lambda a, b: jnp.stack([a, b]), learn(keys[1])[0], init_score(keys[2]))
        return jnp.stack(plain), jax.vmap(measured)(both)

    plain, (clean, rotated, error, kept) = size.seeds(one)
    energies = -jnp.log(jnp.array([0.5, 0.25, 0.125, 0.125])) + 3
    closed = 0.5 * (jnp.log(0.5 / 0.5) + jnp.log(0.5 / 0.25))
    gap = jnp.abs(prior_loss(energies, jnp.array([0.5, 0.5, 0, 0])) - closed)
    lost = plain[:, 0] - plain[:, 1]
    return [
        Claim("largest change of an output on the orbit, adapted", "0", jnp.max(error, axis=1), below(1e-5)),
        Claim("accuracy that the plain classifier loses on turned images", "much", lost, above(0.3)),
        Claim(
            "accuracy that the adapted one loses on turned images",
            "0",
            clean[:, 0] - rotated[:, 0],
            below(1e-6),
        ),
        Claim("share of upright images left upright, with prior", "near 1", kept[:, 0], above(0.9)),
        Claim("clean accuracy lost, with prior", "within noise", plain[:, 0] - clean[:, 0], below(0.05)),
        Claim("clean accuracy lost, without prior", "much", plain[:, 0] - clean[:, 1], above(0.2)),
        Claim("divergence from a prior, less its closed form", "0", gap, below(1e-6)),
    ]
