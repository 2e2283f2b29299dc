"""HyperInterval: Hypernetwork approach to training weight interval regions in continual learning [Krukowski2024].

Claim: intervals in the low-dimensional space of embeddings, mapped to intervals of weights by a hypernetwork, certify
    that tasks learnt before are not forgotten.

Differs: three tasks of two digits each on 8 x 8 digits, of which the third contradicts the first, a perceptron 64-8-2
    and a linear hypernetwork from 6 numbers; the paper has permuted and split images up to TinyImageNet. The radius of
    the boxes is fixed, and all bounds come from `interval` of the program that makes the weights and runs them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from examples.papers.harness import Claim, Size, above, accuracy, below, cross_entropy, digits, fit, mlp
from geojax.metanets import interval

PAIRS, RADIUS, DIM = ((0, 1), (2, 3), (1, 0)), 0.05, 6
BUDGET = 20  # processor seconds at quick size, nearly all of them to compile bounds and their gradients
INIT, APPLY = mlp((64, 8, 2))


def task(pair, split, num):
    """`num` images of two digits, and which of the two each is."""
    x, y = digits()[split]
    rows = np.flatnonzero(np.isin(y, pair))[:num]
    return x[rows], (y[rows] == pair[1]).astype(np.int32)


def weights(e, hyper):
    """The linear hypernetwork: base weights, and a weighted sum of directions."""
    return jax.tree.map(lambda base, lines: base + jnp.tensordot(e, lines, 1), hyper["base"], hyper["lines"])


def init(key):
    """A hypernetwork and an embedding for each task."""
    base, lines, codes = jax.random.split(key, 3)
    lines = jax.vmap(INIT)(jax.random.split(lines, DIM))
    codes = jax.random.normal(codes, (len(PAIRS), DIM), jnp.float32) / 8
    return {"hyper": {"base": INIT(base), "lines": lines}, "codes": codes}


def worst(code, hyper, x, y):
    """The least favourable logits over all weights of the box."""
    bounds = interval(lambda e, hyper, x: APPLY(weights(e, hyper), x))
    lower, upper = bounds(code - RADIUS, code + RADIUS, hyper, x)
    return jnp.where(jax.nn.one_hot(y, 2) > 0, lower, upper)


def stacked(split):
    """The images of all tasks, and their labels: to train on (0), or to test on (1)."""
    return [jnp.stack(part) for part in zip(*[task(pair, split, 60) for pair in PAIRS])]


def plain(key, steps):
    """One network, trained on task after task."""

    def step(params, batch):
        train = fit(lambda p, _: cross_entropy(APPLY)(p, batch), lambda _: params, optax.adam(1e-2), steps)
        return train(key)[0], None

    return jax.lax.scan(step, INIT(key), tuple(stacked(0)))[0]


def learn(key, strength, steps):
    """Task after task; the boxes of weights of earlier tasks are held with the given strength."""
    data = stacked(0)

    def box(params, code):
        return interval(weights)(code - RADIUS, code + RADIUS, params["hyper"])

    def step(carry, number):
        params, codes, boxes = carry
        x, y = (part[number] for part in data)

        def loss(params, _):
            wrong = cross_entropy(lambda p, x: worst(p["codes"][number], p["hyper"], x, y))(params, (x, y))
            now = jax.vmap(lambda code: box(params, code))(codes)
            earlier = (jnp.arange(len(PAIRS)) < number).astype(jnp.float32)
            moved = jax.tree.map(lambda a, b: jnp.tensordot(earlier, jnp.square(a - b), 1).sum(), now, boxes)
            return wrong + strength * sum(jax.tree.leaves(moved))

        params, _ = fit(loss, lambda _: params, optax.adam(1e-2), steps)(key)
        code = params["codes"][number]
        boxes = jax.tree.map(lambda all, new: all.at[number].set(new), boxes, box(params, code))
        return (params, codes.at[number].set(code), boxes), None

    start = init(key)
    boxes = jax.vmap(lambda code: box(start, code))(start["codes"])
    (params, codes, boxes), _ = jax.lax.scan(step, (start, start["codes"], boxes), jnp.arange(len(PAIRS)))
    return params, codes


def run(size: Size) -> list[Claim]:
    """Learn three tasks with the certificate and without it; then ask the first two again."""
    steps = 1000 if size.full else 100
    tests = stacked(1)

    def certified(params, codes):
        """The share of images that every network of the box gets right, for each task."""
        answers = jax.vmap(worst, (0, None, 0, 0))(codes, params["hyper"], *tests)
        return jnp.mean(jnp.argmax(answers, 2) == tests[1], 1)

    def left(key, params, codes):
        """How many weights, drawn from a box of embeddings, leave the certified box."""
        lower, upper = interval(weights)(codes[0] - RADIUS, codes[0] + RADIUS, params["hyper"])
        code = codes[0] + jax.random.uniform(key, (100, DIM), jnp.float32, -RADIUS, RADIUS)
        drawn = jax.vmap(weights, (0, None))(code, params["hyper"])
        out = jax.tree.map(lambda low, w, high: jnp.sum((w < low) | (w > high)), lower, drawn, upper)
        return sum(jax.tree.leaves(out))

    def both(key):
        held = learn(key, 1.0, steps)
        return (
            certified(*held),
            accuracy(APPLY, (tests[0][0], tests[1][0]))(plain(key, steps)),
            left(key, *held),
        )

    kept, lost, out = size.seeds(both)
    return [
        Claim(
            "certified accuracy on the first task, after the third", "no forgetting", kept[:, 0], above(0.9)
        ),
        Claim("certified accuracy on the third task", "high", kept[:, 2], above(0.6)),
        Claim(
            "the first, minus the accuracy of one network that is trained on task after task",
            "above 0",
            kept[:, 0] - lost,
            above(0.2),
        ),
        Claim("weights that leave the certified box, of 100 networks drawn in it", "0", out, below(0.5)),
    ]
