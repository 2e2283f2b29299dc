"""Predict the accuracy of networks that were held out, from their weights alone: a network on weights, and statistics.

    python benchmarks/bench_metanets.py [--networks 4096] [--seeds 3] [--quick]

The zoo is `digit_zoo`. A random forest on mean, variance and quartiles of each leaf [Unterthiner2020] reads the last
network of each training, or all four checkpoints as rows of their own. The network on weights reads the checkpoints
too: `geojax.metanets.invariant` under the permutations that `infer` finds, on `features`, beside the same
statistics; a few of them are averaged. All are judged by the last networks of trainings that none of them saw: R2 and
Kendall's tau, for several seeds of the split and of the networks.
"""

import argparse
import time

import digit_zoo
import jax
import jax.numpy as jnp
import numpy as np
import optax
from record import save
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau
from sklearn.ensemble import RandomForestRegressor

import geojax as gj

PIECE = 256
BATCH = 128
MEMBERS = 3


def zoo(num):
    """The checkpoints [networks, 4, ...] of the trainings whose weights stayed finite, and their accuracies."""
    piece = min(PIECE, num)
    make = jax.jit(
        lambda start: gj.metanets.population(
            digit_zoo.init, digit_zoo.train, key=jax.random.key(0), num=piece, start=start
        )
    )
    parts = []
    for start in range(0, num, piece):
        _, labels, finite = jax.device_get(make(start))
        parts.append((labels["checkpoints"], labels["accuracy"], finite))
    stack, accuracy, finite = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    return jax.tree.map(lambda leaf: leaf[finite], stack), accuracy[finite], int(np.sum(~finite))


def described(stack):
    """Channels and statistics of every checkpoint, and the spec of the permutations that the channels follow."""
    one = jax.tree.map(lambda leaf: leaf[0, 0], stack)
    spec = gj.symmetry.infer(digit_zoo.network, one, jnp.ones((8, 64)))
    spec = spec.without(*(name for name, group in spec.groups.items() if group.kind != "permutation"))
    both = jax.vmap(jax.vmap(lambda p: (gj.metanets.features(spec, p), gj.metanets.weight_statistics(p))))
    channels, statistics = jax.device_get(jax.jit(both)(stack))
    return spec, channels, statistics


def forest(statistics, accuracy, seed):
    """Trees on statistics: rows [n, 28] -> predictions of rows."""
    trees = RandomForestRegressor(120, n_jobs=1, random_state=seed, max_features=0.33)
    return trees.fit(statistics, accuracy).predict


def learner(spec, channels_in, num_statistics, width):
    """(init, apply): the logit of the accuracy from channels and statistics of one network."""
    init_pool, pool = gj.metanets.invariant(
        spec, size=2 * width, width=width, depth=2, channels_in=channels_in
    )

    def init(key):
        first, second, third = jax.random.split(key, 3)
        rows = 2 * width + num_statistics
        return {
            "pool": init_pool(first),
            "hidden": jax.random.normal(second, (rows, 2 * width)) / rows**0.5,
            "out": jax.random.normal(third, (2 * width,)) / (2 * width) ** 0.5,
            "bias": jnp.zeros(2 * width),
        }

    def apply(theta, channels, statistics):
        read = jnp.concatenate([jax.nn.gelu(pool(theta["pool"], channels)), statistics])
        return jax.nn.gelu(read @ theta["hidden"] + theta["bias"]) @ theta["out"]

    return init, apply


def fitted(spec, rows, seed, epochs, width):
    """A function of (channels, statistics): the mean prediction of a few networks trained on the rows."""
    channels, statistics, accuracy = rows
    scale = np.log1p(10 * np.abs(statistics)) * np.sign(statistics)
    mean, deviation = scale.mean(0), scale.std(0) + 1e-6

    def normal(x):
        return (np.sign(x) * np.log1p(10 * np.abs(x)) - mean) / deviation

    data = jax.tree.map(jnp.asarray, (channels, normal(statistics).astype(np.float32), accuracy))
    channels_in = jax.tree.leaves(channels)[0].shape[-1]
    init, apply = learner(spec, channels_in, statistics.shape[-1], width)
    logits = jax.vmap(apply, in_axes=(None, 0, 0))
    num_steps = epochs * len(accuracy) // BATCH
    rates = optax.cosine_onecycle_schedule(num_steps, 2e-3, pct_start=0.1)
    optimiser = optax.adamw(rates, weight_decay=0.03)

    def loss(theta, rows):
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits(theta, rows[0], rows[1]), rows[2]))

    def step(carry, key):
        chosen = jax.random.randint(key, (BATCH,), 0, len(accuracy))
        batch = jax.tree.map(lambda leaf: leaf[chosen], data)

        def one(theta, state):
            updates, state = optimiser.update(jax.grad(loss)(theta, batch), state, theta)
            return optax.apply_updates(theta, updates), state

        return jax.vmap(one)(*carry), None

    @jax.jit
    def train(key):
        first, order = jax.random.split(key)
        theta = jax.vmap(init)(jax.random.split(first, MEMBERS))
        carry = theta, jax.vmap(optimiser.init)(theta)
        return jax.lax.scan(step, carry, jax.random.split(order, num_steps))[0][0]

    theta = train(jax.random.key(seed))
    each = jax.jit(
        lambda channels, rows: jax.nn.sigmoid(jax.vmap(logits, (0, None, None))(theta, channels, rows))
    )
    return lambda channels, statistics: np.asarray(each(channels, normal(statistics).astype(np.float32)))


def score(predicted, accuracy):
    """R2 and Kendall's tau."""
    rest = np.mean((predicted - accuracy) ** 2) / np.var(accuracy)
    return {"R2": float(1 - rest), "tau": float(kendalltau(predicted, accuracy)[0])}


def compare(spec, channels, statistics, accuracy, seed, epochs, width):
    """The scores of all methods on one split, and their processor seconds."""
    order = np.random.default_rng(seed).permutation(len(accuracy))
    held, seen = order[: len(order) // 8], order[len(order) // 8 :]

    def flat(leaf):
        return leaf[seen].reshape(-1, *leaf.shape[2:])

    last = jax.tree.map(lambda leaf: leaf[held, -1], (channels, statistics, accuracy))
    found = {}

    def entered(name, began, predicted):
        found[name] = score(predicted, last[2]) | {"seconds": time.process_time() - began}

    began = time.process_time()
    entered("forest, last networks", began, forest(statistics[seen, -1], accuracy[seen, -1], seed)(last[1]))
    began = time.process_time()
    entered("forest, checkpoints", began, forest(flat(statistics), flat(accuracy), seed)(last[1]))
    began = time.process_time()
    rows = jax.tree.map(flat, channels), flat(statistics), flat(accuracy)
    members = fitted(spec, rows, seed, epochs, width)(last[0], last[1])
    entered("metanet, one", began, members[0])
    entered(f"metanet, mean of {MEMBERS}", began, members.mean(0))
    return found


def main():
    """Run, print, and write unless it was a quick run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", type=int, default=4096)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.networks, options.seeds, options.epochs, options.width = 128, 1, 2, 8
    began = time.process_time()
    stack, accuracy, diverged = zoo(options.networks)
    trained = time.process_time() - began
    spec, channels, statistics = described(stack)
    found = [
        compare(spec, channels, statistics, accuracy, seed, options.epochs, options.width)
        for seed in range(options.seeds)
    ]
    table = Table("method", "R2", "tau", "processor s")
    rows = {}
    for name in found[0]:
        rows[name] = {key: [result[name][key] for result in found] for key in found[0][name]}
        table.add_row(name, *(f"{np.mean(rows[name][key]):.3f}" for key in ("R2", "tau", "seconds")))
    Console().print(f"{len(accuracy)} trainings in {trained:.0f} processor s, {diverged} diverged")
    Console().print(table)
    if not options.quick:
        save("metanets", vars(options) | {"zoo seconds": trained, "diverged": diverged, "rows": rows})


if __name__ == "__main__":
    main()
