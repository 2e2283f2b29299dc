"""Evaluating the Robustness of Interpretability Methods through Explanation Invariance and Equivariance [Crabbe2023].

Claim: explanations of an invariant model should move with its input. Gradients, and integrated gradients from a
    baseline that the group leaves alone, do so exactly; from another baseline, or by a fixed grid of occlusions, they
    do not. Concept scores are invariant on invariant layers, and not on the equivariant layers before. Averages over
    the group repair any explanation, and averages over more elements of it repair more.

Differs: small networks on synthetic data: a convolutional network that shifts leave alone, trained on signals of 16
    samples with bumps of three kinds at any place, and Deep Sets with random weights on sets of 4 points. The paper
    has electrocardiograms, molecules, point clouds and images, and more methods. All scores are `equivariance_error`
    with one less the cosine as its comparison, over all elements of the group.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import optax

from examples.papers.harness import Claim, Size, above, below, cross_entropy, fit
from geojax.equivariant import equivariance_error, symmetrize

BUDGET = 15  # processor seconds at quick size, nearly all of them to compile
LENGTH, CHANNELS, SET = 16, 8, 4
SHIFTS = jnp.arange(LENGTH)
ORDERS = jnp.array(list(itertools.permutations(range(SET))))


def shift(g, x):
    """Signals moved around by g."""
    return x[(SHIFTS - g) % LENGTH]


def permute(g, x):
    """Rows in another order."""
    return x[g]


def leave(g, y):
    """Nothing moves."""
    return y


def signals(key):
    """A batch of noisy signals with one broad bump, one narrow bump, or two of them, anywhere."""
    keys = jax.random.split(key, 3)
    label = jax.random.randint(keys[0], (32,), 0, 3)
    place = jax.random.randint(keys[1], (32,), 0, LENGTH)
    at = jnp.arange(LENGTH)
    narrow = jnp.exp(-((at - 4.0) ** 2))
    kinds = jnp.stack([jnp.exp(-((at - 4.0) ** 2) / 8), narrow, narrow + jnp.exp(-((at - 9.0) ** 2))])
    x = jax.vmap(shift)(place, kinds[label]) + 0.1 * jax.random.normal(keys[2], (32, LENGTH))
    return x[..., None], label


def weights(*shapes):
    """A function of a key: He-normal weights."""
    return lambda key: [
        jax.random.normal(k, shape) * (2 / shape[0]) ** 0.5
        for k, shape in zip(jax.random.split(key, 3), shapes)
    ]


def around(x):
    """Each sample with its neighbours."""
    return jnp.concatenate([jnp.roll(x, i, axis=0) for i in (-1, 0, 1)], axis=1)


def convolutional(params, x):
    """Logits, features of every place, and their mean, of circular convolutions."""
    features = jax.nn.gelu(around(jax.nn.gelu(around(x) @ params[0])) @ params[1])
    pooled = jnp.mean(features, axis=0)
    return pooled @ params[2], features, pooled


def deep_sets(params, x):
    """Logits of a network for each point, a mean, and a network of it."""
    return jax.nn.gelu(jnp.mean(jax.nn.gelu(x @ params[0]), axis=0) @ params[1]) @ params[2]


def gradients(f):
    """Saliency."""
    return jax.grad(f)


def integrated_gradients(f, baseline, steps=8):
    """(x - b) times the mean of the gradient between b and x."""
    times = (jnp.arange(steps) + 0.5) / steps
    return lambda x: (
        (x - baseline) * jnp.mean(jax.vmap(lambda t: jax.grad(f)(baseline + t * (x - baseline)))(times), 0)
    )


def occlusion(f):
    """What the output loses without each of four fixed blocks of 5, 3, 6 and 2 samples."""
    blocks = jnp.repeat(jnp.arange(4), jnp.array([5, 3, 6, 2]), total_repeat_length=LENGTH)

    def explain(x):
        lost = jax.vmap(lambda block: f(x) - f(jnp.where((blocks == block)[:, None], 0, x)))(jnp.arange(4))
        return lost[blocks][:, None]

    return explain


def unlike(wanted, got):
    """One less the cosine."""
    return 1 - jnp.sum(wanted * got) / jnp.sqrt(jnp.sum(wanted**2) * jnp.sum(got**2) + 1e-30)


def score(explain, act, act_out, elements, points):
    """Mean similarity of explanations that should agree: 1 at best, -1 at worst."""

    def error(x):
        return equivariance_error(explain, act, act_out, elements, x, compare=unlike).mean

    return 1 - jnp.mean(jax.vmap(error)(points))


def trained(key, size):
    """Parameters of the convolutional network, and points of its data."""
    keys = jax.random.split(key)
    data = signals(keys[0])
    loss = cross_entropy(jax.vmap(lambda params, x: convolutional(params, x)[0], (None, 0)))
    init = weights((3, CHANNELS), (3 * CHANNELS, CHANNELS), (CHANNELS, 3))
    train = fit(lambda params, _: loss(params, data), init, optax.adam(1e-2), 400 if size.full else 100)
    return train(keys[1])[0], data[0][: 16 if size.full else 4]


def of_signals(key, size):
    """Scores of explanations of the convolutional network, under all shifts."""
    keys = jax.random.split(key, 4)
    params, points = trained(keys[3], size)

    def f(x):
        """The logit of the class that is predicted."""
        return jnp.max(convolutional(params, x)[0])

    attribute = functools.partial(score, act=shift, act_out=shift, elements=SHIFTS, points=points)
    concept = functools.partial(score, act=shift, act_out=leave, elements=SHIFTS, points=points)
    before, after = (
        jax.random.normal(keys[0], (5, LENGTH * CHANNELS)),
        jax.random.normal(keys[0], (5, CHANNELS)),
    )
    step, start = jax.random.randint(keys[2], (2,), 0, LENGTH)
    order = ((2 * step + 1) * SHIFTS + start) % LENGTH

    def averaged(num):
        """Occlusions averaged over the first shifts of a random order."""
        frame = lambda x: (order, (num > SHIFTS) / num)  # noqa: E731
        return attribute(symmetrize(occlusion(f), frame, shift, shift, inverse=jnp.negative))

    baselines = jnp.stack([jnp.zeros((LENGTH, 1)), jax.random.normal(keys[1], (LENGTH, 1))])
    return {
        "gradients": attribute(gradients(f)),
        "integrated": jax.vmap(lambda baseline: attribute(integrated_gradients(f, baseline)))(baselines),
        "averaged": jax.vmap(averaged)(jnp.array([1, 4, LENGTH])),
        "concepts before": concept(lambda x: before @ convolutional(params, x)[1].ravel()),
        "concepts after": concept(lambda x: after @ convolutional(params, x)[2]),
    }


def of_sets(key, size):
    """Scores of explanations of Deep Sets, under all permutations."""
    keys = jax.random.split(key, 3)
    params = weights((2, CHANNELS), (CHANNELS, CHANNELS), (CHANNELS, 3))(keys[0])
    points = jax.random.normal(keys[1], (16 if size.full else 4, SET, 2))

    def f(x):
        return jnp.max(deep_sets(params, x))

    attribute = functools.partial(score, act=permute, act_out=permute, elements=ORDERS, points=points)
    baselines = jnp.stack([jnp.zeros((SET, 2)), 2 * jax.random.normal(keys[2], (SET, 2))])
    return {
        "gradients": attribute(gradients(f)),
        "integrated": jax.vmap(lambda baseline: attribute(integrated_gradients(f, baseline)))(baselines),
    }


def run(size: Size) -> list[Claim]:
    """For each seed, make both networks, explain what they say, and score the explanations."""
    signal, point = size.seeds(lambda key: (of_signals(key, size), of_sets(key, size)))
    few, some, all_of_them = signal["averaged"].T
    exact, less = above(1 - 1e-5), below(0.95)
    return [
        Claim("score of gradients, signals", "1, a theorem", signal["gradients"], exact),
        Claim("score of gradients, sets", "1, a theorem", point["gradients"], exact),
        Claim("integrated gradients from zero, signals", "1, a theorem", signal["integrated"][:, 0], exact),
        Claim("integrated gradients from zero, sets", "1, a theorem", point["integrated"][:, 0], exact),
        Claim("integrated gradients from noise, signals", "below 1", signal["integrated"][:, 1], less),
        Claim("integrated gradients from noise, sets", "below 1", point["integrated"][:, 1], less),
        Claim("occlusions by a grid at one place, signals", "below 1", few, less),
        Claim("concept scores on the invariant layer", "1, a theorem", signal["concepts after"], exact),
        Claim("concept scores on the equivariant layer before", "below 1", signal["concepts before"], less),
        Claim(
            "score of occlusions averaged over 4 shifts, less that over 1", "above 0", some - few, above(0)
        ),
        Claim("the same of all 16 shifts, less that of 4", "above 0", all_of_them - some, above(0)),
        Claim("score of occlusions averaged over all shifts", "1", all_of_them, exact),
    ]
