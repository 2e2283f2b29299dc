"""Alignment of pairs of MLPs on Fashion-MNIST, beside Git Re-Basin's weight matching.

    python benchmarks/bench_alignment.py DATA [--widths 128 512] [--seeds 6] [--models FOLDER] [--out FILE]

DATA holds the four idx files. Networks (see fashion_mlp.py) are trained once for each seed and kept in FOLDER; seeds
(0, 1), (2, 3), ... are the pairs. Reported for every method and pair: the test-loss barrier over 25 points, loss and
accuracy of the midpoint, the objective <A, P B>, and the time of a warm match (median and least of several, the first
call apart). Both programs run in this process, in turn.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import tempfile
import time

import fashion_mlp
import git_rebasin
import jax
import jax.numpy as jnp
import numpy as np

from geojax.symmetry import act, activation_matching, infer, weight_matching
from geojax.symmetry.frank_wolfe_matching import frank_wolfe_matching
from geojax.symmetry.gradient_matching import straight_through_matching
from geojax.symmetry.sinkhorn_matching import sinkhorn_matching


def model(data, folder, seed, width, epochs):
    """The trained network of a seed, from the folder where it is kept or trained now."""
    path = folder / f"mlp-{width}-{epochs}-{seed}.npz"
    if not path.exists():
        params = fashion_mlp.train(data, seed, width, epochs)
        flat = {f"{i}/{name}": np.asarray(x) for i, layer in enumerate(params) for name, x in layer.items()}
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".npz", delete=False) as file:
            np.savez(file, **flat)
        os.replace(file.name, path)
    with np.load(path) as saved:
        depth = len({name.split("/")[0] for name in saved})
        return [{name: jnp.asarray(saved[f"{i}/{name}"]) for name in "wb"} for i in range(depth)]


def curve(evaluate):
    """A function (a, b) -> losses and accuracies at 25 points between them."""
    points = jnp.linspace(0, 1, 25)

    def at(t, a, b):
        return evaluate(jax.tree.map(lambda x, y: (1 - t) * x + t * y, a, b))

    return jax.jit(lambda a, b: jax.lax.map(lambda t: at(t, a, b), points))


def dot(x, y):
    return float(sum(jnp.vdot(p, q) for p, q in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)))


def show(row):
    least = f"{row['seconds']['least']:8.3f} s" if row["seconds"] else ""
    print(
        f"{row['width']:4d} {row['pair']} {row['method']:30s} barrier {row['barrier']:.4f}  midpoint accuracy "
        f"{row['midpoint_accuracy']:.4f} of {row['endpoint_accuracy']:.4f}  <A, P B> {row['objective']:9.2f} {least}",
        flush=True,
    )


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


def methods(spec, data, key, steps):
    """{name: compiled (a, b) -> element}."""
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

    def permutations(element):
        return {name: p for name, p in element.items() if spec.groups[name].kind == "permutation"}

    found = {
        "weights": weights,
        "weights, kernels of norm 1": lambda a, b: weights(level(a), level(b)),
        "Frank-Wolfe": lambda a, b: frank_wolfe_matching(spec, a, b).element,
        "Gaussian probes": on(probes),
        "Gaussian probes, then weights": lambda a, b: weights(a, b, permutations(on(probes)(a, b))),
        "activations": on(sample),
        "activations, then weights": lambda a, b: weights(a, b, permutations(on(sample)(a, b))),
    }
    if steps:

        def from_activations(matcher):
            def run(a, b):
                start = permutations(on(sample)(a, b))
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=pathlib.Path, help="folder with Fashion-MNIST's idx files")
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--steps", type=int, default=100, help="gradient steps of the loss matchers; 0 leaves them out"
    )
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path("benchmarks/models"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results/alignment.json"))
    options = parser.parse_args()

    data = fashion_mlp.load(options.data)
    walk = curve(fashion_mlp.evaluate(data))
    rows = []
    for width in options.widths:
        spec, compiled = None, {}
        for seed in range(0, options.seeds - 1, 2):
            a, b = (model(data, options.models, s, width, options.epochs) for s in (seed, seed + 1))
            if spec is None:
                spec = infer(fashion_mlp.apply, a, jnp.asarray(data["train"][0][:8]))
                compiled = methods(spec, data, jax.random.key(0), options.steps)
            candidates = {"naive": (b, None)}
            (perms, _, _), seconds = timed(peer, a, b, seed, repeats=options.repeats)
            candidates["git-re-basin"] = (git_rebasin.permute(b, perms), seconds)
            for name, match in compiled.items():
                repeats = 1 if name in ("straight through", "Sinkhorn") else options.repeats
                element, seconds = timed(match, a, b, repeats=repeats)
                candidates[name] = (act(spec, element, b), seconds)
            for name, (moved, seconds) in candidates.items():
                where = {"width": width, "pair": [seed, seed + 1], "method": name}
                rows.append(
                    {**where, "objective": dot(a, moved), "seconds": seconds, **report(*walk(a, moved))}
                )
                show(rows[-1])
    record = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg(),
        },
        "versions": {"jax": jax.__version__, "numpy": np.__version__},
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    partial = options.out.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1))
    os.replace(partial, options.out)


if __name__ == "__main__":
    main()
