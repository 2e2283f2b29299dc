"""What works behind methods of transport claim, measured: a function for each, by its key in references.bib.

    python benchmarks/bench_transport_papers.py [--quick] [--only PART ...]

Writes benchmarks/results/transport_papers.json. Times are medians, what is compared takes turns, and compilation is
left out. Random numbers are a mean over seeds and its standard error; no seed is chosen. Of a claim with a threshold
the result says whether it held ("below 1.2", "under half"). The parts that need
more than a page are in saddle_searches.py and transport_estimates.py.
"""

import argparse
import functools
import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from record import save
from saddle_searches import pruned_searches
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from timing import interleaved
from transport_estimates import mean_and_error, mixture_scores, random_features, treatment_effects

from geojax.transport import (
    circular_wasserstein,
    graph_on_logits_loss,
    lcot_distance,
    lcot_embedding,
    sorted_gromov_wasserstein,
)


def graphs_on_logits(quick):
    """the sorted bound and the loss take O(n log n) in the n channels; distillation with the loss."""
    sizes, repeats = [2**k for k in (range(8, 11) if quick else range(8, 15))], 2 if quick else 41
    value, loss = jax.jit(sorted_gromov_wasserstein), jax.jit(functools.partial(graph_on_logits_loss, k=16))

    def fit(m, times):
        return float(np.polyfit(np.log(sizes[-m:]), np.log(times[-m:]), 1)[0])

    rng, report = np.random.default_rng(0), {"slope of n log n": fit(7, [n * np.log(n) for n in sizes])}
    for name, call, rows in (("sorted value", value, ()), ("loss, 32 positions", loss, (32,))):
        calls = {}
        for n in (
            sizes
        ):  # fresh numbers in each call, as a processor learns the branches of a sort that it repeats
            data = [
                jax.block_until_ready(jnp.asarray(rng.normal(size=(2, *rows, n)), jnp.float32))
                for _ in range(16)
            ]
            turns = itertools.cycle([tuple(pair) for pair in data])
            calls[n] = lambda turns=turns, call=call: call(*next(turns))
        found, _ = interleaved(calls, repeats)
        report[name] = {"median_ms": {n: t["median_ms"] for n, t in found.items()}}
        for kind in ("median", "min"):
            times = [found[n][f"{kind}_ms"] for n in sizes]
            report[name] |= {
                f"slope, {kind}": fit(7, times),
                f"slope of the four largest, {kind}": fit(4, times),
            }
        report[name]["below 1.2"] = report[name]["slope, median"] < 1.2
    return report | {"distillation": distillation(2 if quick else 5, 20 if quick else 400)}


def network(key, width):
    keys = jax.random.split(key)
    return [
        jax.random.normal(k, (m, n)) / m**0.5
        for k, m, n in zip(keys, (65, width + 1), (width, 10), strict=True)
    ]


def logits_of(params, x):
    for i, w in enumerate(params):
        x = jnp.tanh(x) if i else x
        x = jnp.append(x, jnp.ones_like(x[:, :1]), axis=1) @ w
    return x


def descended(loss, params, steps):
    optimiser = optax.adam(1e-2)

    def step(state, _):
        params, inner = state
        updates, inner = optimiser.update(jax.grad(loss)(params), inner)
        return (optax.apply_updates(params, updates), inner), None

    return jax.lax.scan(step, (params, optimiser.init(params)), length=steps)[0][0]


def distillation(seeds, steps):
    """Accuracy of students of 8 units that see 150 unlabelled digits, by the weight of the loss beside KL."""
    x, y = load_digits(return_X_y=True)

    @jax.jit
    @jax.vmap
    def accuracies(key):
        order, *keys = jax.random.split(key, 3)
        order = jax.random.permutation(order, len(x))
        points, labels = jnp.asarray(x, jnp.float32)[order] / 16, jnp.asarray(y)[order]
        fit, few, test = slice(0, 800), slice(800, 950), slice(950, None)

        def right(params):
            return jnp.mean(jnp.argmax(logits_of(params, points[test]), 1) == labels[test])

        def entropy(params):
            z = logits_of(params, points[fit])
            return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(z, labels[fit]))

        teacher = descended(entropy, network(keys[0], 64), steps)
        wanted = logits_of(teacher, points[few])
        scale = jnp.sqrt(jnp.mean(wanted**2))

        def student(weight):
            def loss(params):
                z = logits_of(params, points[few])
                kl = optax.kl_divergence(jax.nn.log_softmax(z), jax.nn.softmax(wanted))
                return jnp.mean(kl) + weight * graph_on_logits_loss(z / scale, wanted / scale, k=3)

            return right(descended(loss, network(keys[1], 8), steps))

        return right(teacher), jax.vmap(student)(jnp.array([0.0, 0.1, 1.0]))

    teacher, students = accuracies(jax.random.split(jax.random.key(0), seeds))
    names = ("KL alone", "KL + 0.1 loss", "KL + 1 loss")
    found = {"teacher": teacher} | dict(zip(names, students.T, strict=True))
    gains = {f"{name}, gain over KL": students[:, i] - students[:, 0] for i, name in enumerate(names) if i}
    return {name: mean_and_error(values) for name, values in (found | gains).items()}


def all_pairs(distance):
    return jax.jit(jax.vmap(jax.vmap(distance, (None, 0)), (0, None)))


def circular_mixtures(quick):
    """classifying mixtures of two von Mises laws by the linear distance and by the exact one."""
    num = 32 if quick else 64  # points of an item, and places of an embedding
    per_class, repeats, seeds = (4, 1, 2) if quick else (20, 5, 5)
    exact = all_pairs(circular_wasserstein)
    direct = all_pairs(functools.partial(lcot_distance, num=num))
    embed = jax.jit(jax.vmap(functools.partial(lcot_embedding, num=num)))

    @jax.jit
    def linear(x, y):
        gaps = embed(x)[:, None] - embed(y)
        return jnp.sqrt(jnp.mean((gaps - jnp.round(gaps)) ** 2, axis=-1))

    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        places, shares = rng.uniform(0, 1, (5, 2)), rng.uniform(0.3, 0.7, 5)  # of five classes

        def items(rng=rng, places=places, shares=shares):
            labels = np.repeat(np.arange(5), per_class)
            centres = places[labels] + rng.normal(0, 0.08, (len(labels), 2))  # each item has its own
            first = rng.uniform(size=(len(labels), num)) < shares[labels, None]
            middle = np.where(first, centres[:, :1], centres[:, 1:])
            return jnp.asarray((middle + rng.vonmises(0, 4, first.shape) / (2 * np.pi)) % 1), labels

        (train, y), (test, labels) = items(), items()
        calls = {"linear": lambda a=test, b=train: linear(a, b), "exact": lambda a=test, b=train: exact(a, b)}
        times, found = interleaved(calls, repeats)
        row = {f"{name}, 1-NN accuracy": np.mean(y[np.argmin(d, 1)] == labels) for name, d in found.items()}
        turns = [np.asarray(2 * np.pi * embed(z)) for z in (train, test)]
        flat = [np.concatenate([np.cos(t), np.sin(t)], axis=1) for t in turns]
        judge = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(flat[0], y)
        row["linear, LDA accuracy"] = judge.score(flat[1], labels)
        row |= {
            f"{name}, microseconds a pair": 1e3 * t["median_ms"] / len(y) ** 2 for name, t in times.items()
        }
        row["times as fast"] = times["exact"]["median_ms"] / times["linear"]["median_ms"]
        row["correlation of the distances"] = np.corrcoef(*(np.ravel(d) for d in found.values()))[0, 1]
        np.testing.assert_allclose(direct(test[:3], train[:3]), found["linear"][:3, :3], atol=1e-9)
        rows.append(row)
    return {name: mean_and_error([row[name] for row in rows]) for name in rows[0]}


PARTS = {
    "Wang2025": graphs_on_logits,
    "Martin2024": circular_mixtures,
    "Goswami2025": pruned_searches,
    "Kang2023": mixture_scores,
    "Reid2023": random_features,
    "YuWang2020": treatment_effects,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="and nothing written")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    report = {}
    for name in options.only:
        began = time.perf_counter()
        report[name] = {"about": PARTS[name].__doc__} | PARTS[name](options.quick)
        report[name]["seconds"] = time.perf_counter() - began
        print(name, report[name], flush=True)
    if not options.quick and len(report) == len(PARTS):
        save("transport_papers", report)


if __name__ == "__main__":
    main()
