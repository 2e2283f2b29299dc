"""The parts of the alignment benchmark: each yields lists of rows, one list for each pair or set of networks."""

import functools
import itertools

import fashion_mlp
import fashion_nets
import git_rebasin
import jax
import jax.numpy as jnp
import numpy as np
from alignment_methods import (
    LOSS_MATCHERS,
    curve,
    dot,
    mean,
    methods,
    only_permutations,
    repaired_curve,
    report,
)
from timing import Elsewhere, interleaved
from trained_networks import mlp, net

from geojax.symmetry import act, activation_matching, infer, universe_matching, weight_matching


def pairs(seeds):
    return [(seed, seed + 1) for seed in range(0, seeds - 1, 2)]


def in_seconds(times):
    return {kind.removesuffix("_ms"): ms / 1e3 for kind, ms in times.items()}


def peer_calls(a, b, seed, workers, folder):
    """{name: call} of the other libraries, and {name: what the call returned -> b as it was moved}."""
    calls = {"git-re-basin": lambda: git_rebasin.weight_matching(a, b, seed)[0]}
    read = {"git-re-basin": lambda perms: git_rebasin.permute(b, perms)}
    for name, worker in workers.items():
        path = folder / f"{name}.npz"
        nets = {"a": a, "b": b}
        leaves = {
            f"{side} {k} {w}": x
            for side, layers in nets.items()
            for k, layer in enumerate(layers)
            for w, x in layer.items()
        }
        np.savez(path, **leaves)
        calls[f"PyPI {name}"] = lambda worker=worker, path=path: Elsewhere(worker.ask(f"match {path}"), path)

        def moved(path):
            with np.load(path) as file:
                return [{w: jnp.asarray(file[f"moved {k} {w}"]) for w in "wb"} for k in range(len(b))]

        read[f"PyPI {name}"] = moved
    return calls, read


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
        calls, read = peer_calls(a, b, seeds[0], options.workers, options.folder)
        fast, slow = dict(calls), {}
        for name, match in compiled.items():
            (slow if name in LOSS_MATCHERS else fast)[name] = functools.partial(match, a, b)
        timing, found = interleaved(fast, options.repeats)
        later, elements = interleaved(slow, 1)
        timing |= later
        candidates = {"naive": b} | {name: read[name](found[name]) for name in read}
        candidates |= {name: act(spec, (found | elements)[name], b) for name in compiled}
        yield [
            {"part": part, "seeds": seeds, "method": name, "objective": dot(a, moved)}
            | ({"seconds": in_seconds(timing[name])} if name in timing else {})
            | report(*walk(a, moved))
            for name, moved in candidates.items()
        ]


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
            chosen = ("activations", *(LOSS_MATCHERS if options.steps else ()))
            every = methods(spec, data, jax.random.key(0), options.steps)
            compiled = {name: every[name] for name in chosen}
            walk = repaired_curve(spec, evaluate, sample)
        yield [
            {"part": part, "seeds": seeds, "method": f"{name}, REPAIR", "steps": options.steps}
            | report(*walk(a, act(spec, match(a, b), b)))
            for name, match in compiled.items()
        ]


def vmap_rows(width, data, options, done, count=8):
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
        {"8 calls": lambda: [one(*pair) for pair in zip(a, b)], "vmap": lambda: many(*stacked)},
        options.repeats,
    )
    for k in range(count):
        for name, array in found["vmap"].items():
            assert jnp.array_equal(array[k], found["8 calls"][k][name])
    yield [
        {"part": "vmap", "seeds": tuple(range(6)), "method": name, "seconds": in_seconds(times)}
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


def universe_rows(width, data, options, done, count=5):
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
