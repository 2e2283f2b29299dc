"""Alignment of networks trained on Fashion-MNIST, beside Git Re-Basin's weight matching.

    python benchmarks/bench_alignment.py DATA [--only PART ...] [--seeds 6] [--fresh]

DATA holds the four idx files. Networks (fashion_mlp.py, fashion_nets.py) are trained once for each seed and kept;
seeds (0, 1), (2, 3), ... are the pairs. Reported for every method and pair: the test-loss barrier over 25 points, loss
and accuracy of the midpoint, for MLPs the objective <A, P B> and the time of a warm match (median and least of several,
the first call apart), both programs in this process, in turn. "continuous" rows use the whole spec, the others its
permutations alone. `repair-*` repairs every point of the curve, `three-*` averages three, `vmap` times eight pairs at
once, `universe` merges five MLPs into one: by a universe, by a chain of pairs, and as they are.

Each pair is written as soon as it is done, and what is written is not done again (--fresh starts over).
"""

import argparse
import itertools
import json
import os
import pathlib
import platform
import statistics
import tempfile
import time

import fashion_mlp
import fashion_nets
import git_rebasin
import jax
import jax.numpy as jnp
import numpy as np
from timing import interleaved

from geojax.merging import repair
from geojax.symmetry import (
    act,
    activation_matching,
    frank_wolfe_matching,
    infer,
    sinkhorn_matching,
    straight_through_matching,
    universe_matching,
    weight_matching,
)

EPOCHS = {"mlp": 10, "cnn": 2, "transformer": 2}


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


def only_permutations(spec):
    return spec.without(*(name for name, group in spec.members if group.kind != "permutation"))


def curve(evaluate):
    """A function (a, b) -> losses and accuracies at 25 points between them."""
    points = jnp.linspace(0, 1, 25)

    def at(t, a, b):
        return evaluate(jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b))

    return jax.jit(lambda a, b: jax.lax.map(lambda t: at(t, a, b), points))


def dot(x, y):
    return float(sum(jnp.vdot(p, q) for p, q in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)))


def show(row):
    seconds = row.get("seconds")
    least = f"{seconds.get('least', seconds.get('min')):8.3f} s" if seconds else ""
    numbers = {
        name: row[name]
        for name in ("barrier", "midpoint_accuracy", "endpoint_accuracy", "objective")
        if name in row
    }
    text = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    print(f"{row['part']:12s} {row['seeds']} {row['method']:32s} {text} {least}", flush=True)


def report(losses, accuracies):
    losses, accuracies = np.asarray(losses), np.asarray(accuracies)
    t = np.linspace(0, 1, len(losses))
    return {
        "barrier": float(np.max(losses - (1 - t) * losses[0] - t * losses[-1])),
        "midpoint_loss": float(losses[len(t) // 2]),
        "midpoint_accuracy": float(accuracies[len(t) // 2]),
        "endpoint_accuracy": float((accuracies[0] + accuracies[-1]) / 2),
    }


def level(params):
    """Every kernel scaled to norm 1 and biases left out, so that each layer has the same say."""
    return [{"w": layer["w"] / jnp.linalg.norm(layer["w"]), "b": 0 * layer["b"]} for layer in params]


def methods(whole, data, key, steps):
    """{name: compiled (a, b) -> element}; of permutations alone, but for those called continuous."""
    spec = only_permutations(whole)
    images, labels = data["train"]
    sample = jnp.asarray(images[:4000])
    probes = jax.random.normal(key, sample.shape)
    x, y = jnp.asarray(images), jnp.asarray(labels)

    def loss(params, key):
        batch = jax.random.randint(key, (1000,), 0, len(x))
        return fashion_mlp.cross_entropy(params, x[batch], y[batch])

    def weights(a, b, init=None):
        return weight_matching(spec, a, b, key=key, init=init).element

    def on(inputs):
        return lambda a, b: activation_matching(spec, fashion_mlp.apply, a, b, inputs).element

    found = {
        "weights": weights,
        "weights, kernels of norm 1": lambda a, b: weights(level(a), level(b)),
        "Frank-Wolfe": lambda a, b: frank_wolfe_matching(spec, a, b).element,
        "Gaussian probes": on(probes),
        "Gaussian probes, then weights": lambda a, b: weights(a, b, on(probes)(a, b)),
        "activations": on(sample),
        "continuous: weights": lambda a, b: weight_matching(whole, a, b, key=key).element,
        "continuous: activations": lambda a, b: (
            activation_matching(whole, fashion_mlp.apply, a, b, sample).element
        ),
        "activations, then weights": lambda a, b: weights(a, b, on(sample)(a, b)),
    }
    if steps:

        def from_activations(matcher):
            def run(a, b):
                start = on(sample)(a, b)
                return matcher(spec, loss, a, b, key=key, init=start, num_steps=steps).element

            return run

        found["straight through"] = from_activations(straight_through_matching)
        found["Sinkhorn"] = from_activations(sinkhorn_matching)
    return {name: jax.jit(function) for name, function in found.items()}


def timed(function, *arguments, repeats):
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        result = jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - begin)
    return result, {"first": times[0], "median": statistics.median(times[1:]), "least": min(times[1:])}


def peer(a, b, seed):
    perms, objective, sweeps = git_rebasin.weight_matching(a, b, seed)
    return [jnp.asarray(p) for p in perms], objective, sweeps


def mlp_rows(width, data, options, done):
    part = f"mlp-{width}"
    walk = curve(fashion_mlp.evaluate(data))
    spec, compiled = None, {}
    for seeds in pairs(options.seeds):
        if (part, seeds) in done:
            continue
        a, b = (mlp(data, options.models, seed, width) for seed in seeds)
        if spec is None:
            spec = infer(fashion_mlp.apply, a, jnp.asarray(data["train"][0][:8]))
            compiled = methods(spec, data, jax.random.key(0), options.steps)
        candidates = {"naive": (b, None)}
        (perms, _, _), seconds = timed(peer, a, b, seeds[0], repeats=options.repeats)
        candidates["git-re-basin"] = (git_rebasin.permute(b, perms), seconds)
        for name, match in compiled.items():
            repeats = 1 if name in ("straight through", "Sinkhorn") else options.repeats
            element, seconds = timed(match, a, b, repeats=repeats)
            candidates[name] = (act(spec, element, b), seconds)
        yield [
            {"part": part, "seeds": seeds, "method": name, "objective": dot(a, moved), "seconds": seconds}
            | report(*walk(a, moved))
            for name, (moved, seconds) in candidates.items()
        ]


def repaired_curve(spec, evaluate, sample):
    """As `curve`, with every point repaired."""

    def at(t, a, b):
        mixed = jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b)
        return evaluate(repair(spec, fashion_mlp.apply, mixed, a, b, sample, t=t))

    return jax.jit(lambda a, b: jax.lax.map(lambda t: at(t, a, b), jnp.linspace(0, 1, 25)))


def repair_rows(width, data, options, done):
    """Every point of the curve repaired on 4,000 training images."""
    part = f"repair-{width}"
    evaluate = fashion_mlp.evaluate(data)
    sample = jnp.asarray(data["train"][0][:4000])
    compiled = {}
    for seeds in pairs(options.seeds):
        if (part, seeds) in done:
            continue
        a, b = (mlp(data, options.models, seed, width) for seed in seeds)
        if not compiled:
            spec = infer(fashion_mlp.apply, a, sample[:8])
            chosen = ("activations", "straight through", "Sinkhorn") if options.steps else ("activations",)
            every = methods(spec, data, jax.random.key(0), options.steps)
            compiled = {name: every[name] for name in chosen}

            walk = repaired_curve(spec, evaluate, sample)
        yield [
            {"part": part, "seeds": seeds, "method": f"{name}, REPAIR", "steps": options.steps}
            | report(*walk(a, act(spec, match(a, b), b)))
            for name, match in compiled.items()
        ]


def vmap_rows(data, options, done, width=128, count=8):
    """Eight pairs at once beside eight calls, in turn."""
    if ("vmap", tuple(range(6))) in done:
        return
    models = [mlp(data, options.models, seed, width) for seed in range(6)]
    chosen = list(itertools.combinations(range(6), 2))[:count]
    a, b = ([models[pair[side]] for pair in chosen] for side in (0, 1))
    spec = only_permutations(infer(fashion_mlp.apply, models[0], jnp.asarray(data["train"][0][:8])))
    one = jax.jit(lambda a, b: weight_matching(spec, a, b, key=jax.random.key(0)).element)
    many, stacked = jax.jit(jax.vmap(one)), [jax.tree.map(lambda *x: jnp.stack(x), *side) for side in (a, b)]
    timing, found = interleaved(
        {"8 calls": lambda: [one(*pair) for pair in zip(a, b)], "vmap": lambda: many(*stacked)}, 7
    )
    for k in range(count):
        for name, array in found["vmap"].items():
            assert jnp.array_equal(array[k], found["8 calls"][k][name])
    yield [
        {"part": "vmap", "seeds": tuple(range(6)), "method": name}
        | {"seconds": {kind.removesuffix("_ms"): ms / 1e3 for kind, ms in times.items()}}
        for name, times in timing.items()
    ]


def net_rows(name, data, options, done):
    _, apply, _ = fashion_nets.NETS[name]
    x, y = (jnp.asarray(array[:2000]) for array in data["test"])
    sample = jnp.asarray(data["train"][0][:500])

    def evaluate(params):
        logits = apply(params, x)
        return fashion_mlp.loss_of(logits, y), jnp.mean(jnp.argmax(logits, axis=1) == y)

    walk, spec = curve(evaluate), None
    for seeds in pairs(options.seeds):
        if (name, seeds) in done:
            continue
        a, b = (net(name, data, options.models, seed) for seed in seeds)
        spec = spec or infer(apply, a, sample[:4])
        rows = [{"method": "naive", **report(*walk(a, b))}]
        for kind, each in (("permutations", only_permutations(spec)), ("continuous", spec)):
            key = jax.random.key(0)
            start = activation_matching(each, apply, a, b, sample).element
            elements = {
                "weights": weight_matching(each, a, b, key=key).element,
                "activations": start,
                "activations, then weights": weight_matching(each, a, b, key=key, init=start).element,
            }
            for method, element in elements.items():
                moved = act(each, element, b)
                rows.append({"method": f"{kind}: {method}", **report(*walk(a, moved))})
        yield [{"part": name, "seeds": seeds, **row} for row in rows]


def universe_rows(data, options, done, width=128, count=5):
    seeds = tuple(range(count))
    if ("universe", seeds) in done:
        return
    models = [mlp(data, options.models, seed, width) for seed in seeds]
    evaluate = fashion_mlp.evaluate(data)
    spec = infer(fashion_mlp.apply, models[0], jnp.asarray(data["train"][0][:8]))
    key = jax.random.key(0)
    merged = {"naive": mean(models)}
    for kind, each in (("permutations", only_permutations(spec)), ("continuous", spec)):
        found = universe_matching(each, models, key=key).element
        placed = [
            act(each, {name: g[k] for name, g in found.items()}, model) for k, model in enumerate(models)
        ]
        chain = [models[0]]
        for model in models[1:]:
            chain.append(act(each, weight_matching(each, chain[-1], model, key=key).element, model))
        merged |= {f"{kind}: universe": mean(placed), f"{kind}: chain of pairs": mean(chain)}
    ends = [evaluate(model) for model in models]
    yield [
        {
            "part": "universe",
            "seeds": seeds,
            "method": method,
            "midpoint_loss": float(evaluate(params)[0]),
            "midpoint_accuracy": float(evaluate(params)[1]),
            "endpoint_accuracy": float(np.mean([accuracy for _, accuracy in ends])),
        }
        for method, params in merged.items()
    ]


def three_rows(width, data, options, done):
    """Three MLPs averaged once two are aligned with the first: by weights, and by the loss half way."""
    part, seeds = f"three-{width}", (0, 1, 2)
    if (part, seeds) in done or not options.steps:
        return
    models = [mlp(data, options.models, seed, width) for seed in seeds]
    evaluate = fashion_mlp.evaluate(data)
    spec = infer(fashion_mlp.apply, models[0], jnp.asarray(data["train"][0][:8]))
    every = methods(spec, data, jax.random.key(0), options.steps)
    ends = [float(evaluate(model)[1]) for model in models]
    for name in ("weights", "straight through"):
        placed = [models[0], *(act(spec, every[name](models[0], model), model) for model in models[1:])]
        loss, accuracy = evaluate(mean(placed))
        row = {"midpoint_loss": float(loss), "midpoint_accuracy": float(accuracy)}
        ends_row = {"endpoint_accuracy": float(np.mean(ends))}
        yield [{"part": part, "seeds": seeds, "method": f"{name}, mean of three"} | row | ends_row]


def mean(models):
    return jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *models)


def pairs(seeds):
    return [(seed, seed + 1) for seed in range(0, seeds - 1, 2)]


PARTS = {
    "mlp-128": lambda *args: mlp_rows(128, *args),
    "mlp-512": lambda *args: mlp_rows(512, *args),
    "repair-128": lambda *args: repair_rows(128, *args),
    "repair-512": lambda *args: repair_rows(512, *args),
    "three-128": lambda *args: three_rows(128, *args),
    "three-512": lambda *args: three_rows(512, *args),
    "vmap": lambda *args: vmap_rows(*args),
    "cnn": lambda *args: net_rows("cnn", *args),
    "transformer": lambda *args: net_rows("transformer", *args),
    "universe": lambda *args: universe_rows(*args),
}


def save(path, rows):
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    versions = {"jax": jax.__version__, "numpy": np.__version__}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"machine": machine, "versions": versions, "rows": rows}, indent=1))
    os.replace(partial, path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=pathlib.Path, help="folder with Fashion-MNIST's idx files")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=50, help="gradient steps of the loss matchers; 0 leaves them out"
    )
    parser.add_argument("--images", type=int, default=60000, help="training images to use")
    parser.add_argument("--fresh", action="store_true", help="measure again what is written already")
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path("benchmarks/models"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results/alignment.json"))
    options = parser.parse_args()

    data = fashion_mlp.load(options.data)
    data["train"] = tuple(array[: options.images] for array in data["train"])
    rows = []
    if options.out.exists():
        rows = json.loads(options.out.read_text())["rows"]
        rows = [row for row in rows if not (options.fresh and row["part"] in options.only)]
    done = {(row["part"], tuple(row["seeds"])) for row in rows}
    for part in options.only:
        for found in PARTS[part](data, options, done):
            rows += found
            save(options.out, rows)
            for row in found:
                show(row)


if __name__ == "__main__":
    main()
