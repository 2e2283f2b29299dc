"""A zoo of small networks on scikit-learn's digits, good and bad, with their accuracies on data that they never saw.

Perceptrons 64-24-10. Each draws its learning rate, the scale of its first weights, its weight decay, a share of wrong
labels and its number of steps, so that accuracies lie between chance and 97%. Kept are four networks of each training:
after a quarter of the steps, after half, after three quarters, and at the end.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

HIDDEN = 24
QUARTER = 62
CHECKPOINTS = 4


@functools.cache
def digits():
    """(x, y) to train on, 900 images, and to judge by, the rest."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype(np.float32), y[order].astype(np.int32)
    return (x[:900], y[:900]), (x[900:], y[900:])


def network(params, x):
    """Logits of one network."""
    return jax.nn.relu(x @ params["w0"] + params["b0"]) @ params["w1"] + params["b1"]


def init(key):
    """Normal weights of a drawn scale, and no biases."""
    scale_key, *keys = jax.random.split(key, 3)
    scale = jnp.exp(jax.random.uniform(scale_key, minval=-1.5, maxval=1.0))
    first, second = (
        scale * jax.random.normal(k, shape) / shape[0] ** 0.5
        for k, shape in zip(keys, [(64, HIDDEN), (HIDDEN, 10)], strict=True)
    )
    return {"b0": jnp.zeros(HIDDEN), "b1": jnp.zeros(10), "w0": first, "w1": second}


def train(params, key):
    """One training: the last network, and as labels its checkpoints with their accuracies."""
    (x, y), (x_test, y_test) = (tuple(map(jnp.asarray, pair)) for pair in digits())
    keys = jax.random.split(key, 7)
    rate = 10 ** jax.random.uniform(keys[0], minval=-3.5, maxval=-1.0)
    decay = 10 ** jax.random.uniform(keys[1], minval=-6.0, maxval=-2.0)
    noise = jax.random.uniform(keys[2], maxval=0.5)
    steps = jax.random.randint(keys[3], (), 3, QUARTER)
    wrong = jax.random.bernoulli(keys[4], noise, y.shape)
    labels = jnp.where(wrong, jax.random.randint(keys[5], y.shape, 0, 10), y)
    optimiser = optax.scale_by_adam()

    def step(carry, number):
        params, state, done = carry
        rows = jax.random.randint(jax.random.fold_in(keys[6], done), (64,), 0, len(x))

        def loss(p):
            return jnp.mean(
                optax.softmax_cross_entropy_with_integer_labels(network(p, x[rows]), labels[rows])
            )

        updates, state = optimiser.update(jax.grad(loss)(params), state)
        after = jax.tree.map(lambda p, u: p - rate * (u + decay * p), params, updates), state, done + 1
        return jax.tree.map(lambda new, old: jnp.where(number < steps, new, old), after, carry), None

    def quarter(carry, _):
        carry, _ = jax.lax.scan(step, carry, jnp.arange(QUARTER))
        return carry, carry[0]

    start = params, optimiser.init(params), jnp.zeros((), jnp.int32)
    (params, *_), kept = jax.lax.scan(quarter, start, length=CHECKPOINTS)
    right = jax.vmap(lambda p: jnp.mean(jnp.argmax(network(p, x_test), axis=-1) == y_test))(kept)
    return params, {"checkpoints": kept, "accuracy": right}
