"""The trained networks of the alignment benchmark, each kept in a file of its own, and data to try it without any."""

import os
import tempfile

import fashion_mlp
import fashion_nets
import jax
import jax.numpy as jnp
import numpy as np

EPOCHS = {"mlp": 10, "cnn": 2, "transformer": 2}


def toy(train=500, test=100):
    """Ten noisy patterns in the form of Fashion-MNIST."""
    rng = np.random.default_rng(0)
    patterns = rng.uniform(size=(10, 784)).astype(np.float32)

    def draw(count):
        y = rng.integers(0, 10, count).astype(np.int32)
        return patterns[y] + 0.3 * rng.normal(size=(count, 784)).astype(np.float32), y

    return {"train": draw(train), "test": draw(test)}


def kept(path, like, train):
    """Trained parameters, from the file where they are kept or trained now."""
    if not path.exists():
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(train())]
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez(file, *leaves)
        os.replace(file.name, path)
    with np.load(path) as saved:
        leaves = [jnp.asarray(saved[f"arr_{i}"]) for i in range(len(saved))]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def mlp(data, folder, seed, width):
    like = jax.eval_shape(lambda: fashion_mlp.init(jax.random.key(0), width))
    path = folder / f"mlp-{width}-{EPOCHS['mlp']}-seed{seed}.npz"
    return kept(path, like, lambda: fashion_mlp.train(data, seed, width, EPOCHS["mlp"]))


def net(name, data, folder, seed):
    init, apply, width = fashion_nets.NETS[name]
    init_key, key = jax.random.split(jax.random.key(seed))
    start = init(init_key, width)
    path = folder / f"{name}-{EPOCHS[name]}-seed{seed}.npz"
    return kept(path, start, lambda: fashion_nets.train(apply, start, data, key, EPOCHS[name]))
