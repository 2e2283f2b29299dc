"""The networks of the alignment benchmark: relu MLPs 784-w-w-w-10 on Fashion-MNIST, one for each seed.

Adam 1e-3, batches of 500, 10 epochs, pixels in [0, 1], LeCun-normal weights and zero biases at the start.
"""

import gzip
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

BATCH = 500


def load(folder):
    """Train and test images [n, 784] and labels [n] from the four idx files, gzipped or not."""
    arrays = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        for what, kind, header in (("x", "images-idx3-ubyte", 16), ("y", "labels-idx1-ubyte", 8)):
            path = pathlib.Path(folder) / f"{stem}-{kind}"
            if path.exists():
                raw = path.read_bytes()
            else:
                raw = gzip.decompress(path.with_name(path.name + ".gz").read_bytes())
            arrays[split, what] = np.frombuffer(raw, np.uint8, offset=header)
    return {
        split: (
            arrays[split, "x"].reshape(-1, 784).astype(np.float32) / 255,
            arrays[split, "y"].astype(np.int32),
        )
        for split in ("train", "test")
    }


def init(key, width, depth=3):
    """LeCun-normal weights and zero biases, [{"w": [in, out], "b": [out]}, ...]."""
    sizes = [784, *[width] * depth, 10]
    keys = jax.random.split(key, depth + 1)
    return [
        {"w": jax.random.normal(k, (n, m)) * jnp.sqrt(1 / n), "b": jnp.zeros(m)}
        for k, n, m in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def apply(params, x):
    """Logits [n, 10] of images [n, 784]."""
    for layer in params[:-1]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def loss_of(logits, y):
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))


def cross_entropy(params, x, y):
    return loss_of(apply(params, x), y)


def train(data, seed, width, epochs=10):
    """One network."""
    x, y = (jnp.asarray(array) for array in data["train"])
    optimiser = optax.adam(1e-3)
    key, init_key = jax.random.split(jax.random.key(seed))
    params = init(init_key, width)

    def update(carry, batch):
        params, state = carry
        grads = jax.grad(cross_entropy)(params, x[batch], y[batch])
        updates, state = optimiser.update(grads, state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def epoch(carry, key):
        batches = jax.random.permutation(key, len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH)
        return jax.lax.scan(update, carry, batches)[0]

    carry = params, optimiser.init(params)
    for k in jax.random.split(key, epochs):
        carry = epoch(carry, k)
    return jax.block_until_ready(carry[0])


def evaluate(data):
    """A function params -> (test loss, test accuracy)."""
    x, y = (jnp.asarray(array) for array in data["test"])

    @jax.jit
    def both(params):
        logits = apply(params, x)
        return loss_of(logits, y), jnp.mean(jnp.argmax(logits, axis=1) == y)

    return both
