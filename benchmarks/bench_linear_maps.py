"""Equivariant linear maps beside the layer of Universal Neural Functionals, and beside dense matrices.

    python benchmarks/bench_linear_maps.py [--quick]

Layers on the weights of an MLP, a recurrent net and a residual net, 16 channels, forward and with the gradient of all
arguments; the peer (`unf_peer.py`, written from the paper) gets the same coefficients, and equal outputs are checked
first. "one pass" mixes the channels of every entry and does nothing else: what reading and writing costs. Then all
diagrams of O(16) between tensors of three axes beside the dense matrix, and what a layer on the weights of a
transformer block takes to compile.
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
from record import save
from timing import clocked, interleaved
from unf_peer import layer

import geojax as gj

CHANNELS = 16
BLOCK = 20  # calls in a row
NETS = {
    "MLP 64-128-10": {
        "w1": ((64, 128), ("i", "h")),
        "b1": ((128,), ("h",)),
        "w2": ((128, 10), ("h", "o")),
        "b2": ((10,), ("o",)),
    },
    "recurrent, 64 units": {
        "i": ((16, 64), ("i", "h")),
        "w": ((64, 64), ("h", "h")),
        "b": ((64,), ("h",)),
        "o": ((64, 10), ("h", "o")),
    },
    "residual, 64 units": {
        "i": ((64, 64), ("i", "h")),
        "b": ((64,), ("h",)),
        "u": ((64, 128), ("h", "m")),
        "c": ((128,), ("m",)),
        "v": ((128, 64), ("m", "h")),
        "d": ((64,), ("h",)),
        "o": ((64, 10), ("h", "o")),
    },
}


def coefficients_of_the_peer(maps, theta, axes):
    """The same maps in the peer's order: found by which axes of input and output have one index."""
    names, found = list(axes), {}
    for (out, _, mixes), _ in zip(maps._plan.outputs, names, strict=True):
        for mix in mixes:
            for start, entry in enumerate(mix.entries):
                feature = entry.feature
                fresh = len(mix.sizes)
                number = {label: mix.kept[k] for k, label in enumerate(feature.order)}
                for label in feature.inner:
                    fresh += number.setdefault(label, fresh) == fresh
                inner = tuple(number[label] for label in feature.inner)
                found[out, names[feature.block], mix.outer, inner] = theta[out][mix.name][start]
    return found


def networks(repeats, quick):
    for what, leaves in list(NETS.items())[: 1 if quick else None]:
        if quick:
            leaves = {name: (tuple(min(n, 8) for n in shape), axes) for name, (shape, axes) in leaves.items()}
        axes = {name: axes for name, (_, axes) in sorted(leaves.items())}
        rng = np.random.default_rng(0)
        tree = {
            name: jnp.asarray(rng.normal(size=(*leaves[name][0], CHANNELS)), jnp.float32) for name in axes
        }
        spec = gj.symmetry.declare({name: x[..., 0] for name, x in tree.items()}, axes)
        maps = gj.symmetry.linear_maps(spec)
        theta = jax.tree.map(
            lambda x: x.astype(jnp.float32), maps.init(jax.random.key(0), CHANNELS, CHANNELS)
        )
        other = coefficients_of_the_peer(maps, theta, axes)
        assert len(other) == maps.count
        mix = jnp.eye(CHANNELS, dtype=jnp.float32)
        layers = {
            "geojax": (jax.jit(maps.apply), theta),
            "UNF": (jax.jit(lambda theta, tree, axes=axes: layer(theta, tree, axes)), other),
            "one pass": (jax.jit(lambda mix, tree: jax.tree.map(lambda leaf: leaf @ mix, tree)), mix),
        }
        time_of, last = interleaved(
            {name: lambda f=f, t=t, x=tree: f(t, x) for name, (f, t) in layers.items()}, repeats
        )
        for name, x in last["geojax"].items():
            scale = float(jnp.abs(x).max())
            assert float(jnp.abs(x - last["UNF"][name]).max()) < 1e-5 * scale, (what, name)
        gradients = {
            name: jax.jit(jax.grad(lambda t, x, f=f: sum(jnp.sum(y**2) for y in f(t, x).values()), (0, 1)))
            for name, (f, _) in layers.items()
        }
        backward, _ = interleaved(
            {name: lambda g=g, t=layers[name][1], x=tree: g(t, x) for name, g in gradients.items()}, repeats
        )
        yield {
            "net": what,
            "maps": maps.count,
            "channels": CHANNELS,
            "forward": time_of,
            "gradient": backward,
        }


def brauer(n, repeats):
    """All diagrams 3 -> 3 of O(n) on one tensor, weighted, beside the matrix of their sum."""
    spec = gj.symmetry.declare(jnp.zeros((n, n, n)), ("v:orthogonal",) * 3)
    maps = gj.symmetry.linear_maps(spec)
    theta = jax.tree.map(lambda x: x.astype(jnp.float32), maps.init(jax.random.key(0), 1, 1))
    tensor = jax.random.normal(jax.random.key(1), (n, n, n, 1), jnp.float32)
    apply = jax.jit(maps.apply)
    unit = jnp.eye(n**3, dtype=jnp.float32).reshape(n, n, n, n**3)
    columns = jax.jit(jax.vmap(lambda x: maps.apply(theta, x[..., None])[..., 0], -1, -1))
    matrix = columns(unit).reshape(n**3, n**3)
    dense = jax.jit(lambda matrix, x: matrix @ x.reshape(-1))
    calls = {"geojax": lambda: apply(theta, tensor), "dense matrix": lambda: dense(matrix, tensor)}
    times, last = interleaved(calls, repeats)
    # The matrix empties the processor's cache; in blocks of calls each finds its own data there.
    blocks, _ = interleaved(
        {name: lambda call=call: [call() for _ in range(BLOCK)] for name, call in calls.items()}, repeats
    )
    in_blocks = {name: row["median_ms"] / BLOCK for name, row in blocks.items()}
    scale = float(jnp.abs(last["dense matrix"]).max())
    assert float(jnp.abs(last["geojax"].reshape(-1) - last["dense matrix"]).max()) < 1e-5 * scale
    return {"n": n, "maps": maps.count, "time": times, "a call in a block, ms": in_blocks}


def transformer(width, heads):
    """A pre-norm transformer block with embedding and readout: 14 leaves."""
    inner, hidden, tokens, vocabulary = width // heads, 2 * width, 8, 12

    def norm(x, scale, bias):
        x = x - x.mean(-1, keepdims=True)
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * scale + bias

    def apply(p, ids):
        x = p["embed"][ids] + p["position"]
        h = norm(x, p["s1"], p["t1"])
        q, k, v = (jnp.einsum("td,dhc->thc", h, p[name]) for name in "qkv")
        weights = jax.nn.softmax(jnp.einsum("thc,shc->hts", q, k))
        x = x + jnp.einsum("hts,shc,hcd->td", weights, v, p["out"])
        h = norm(x, p["s2"], p["t2"])
        x = x + jax.nn.gelu(h @ p["up"] + p["up_bias"]) @ p["down"]
        return x @ p["read"] + p["read_bias"]

    shapes = dict.fromkeys("qkv", (width, heads, inner)) | dict.fromkeys(("s1", "t1", "s2", "t2"), (width,))
    shapes |= {"out": (heads, inner, width), "up": (width, hidden), "up_bias": (hidden,)}
    shapes |= {"down": (hidden, width), "embed": (vocabulary, width), "position": (tokens, width)}
    shapes |= {"read": (width, vocabulary), "read_bias": (vocabulary,)}
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    spec = gj.symmetry.infer(apply, params, np.arange(tokens) % vocabulary, verify=False)
    return spec, shapes


def compiling(quick):
    spec, shapes = transformer(*((8, 2) if quick else (16, 2)))
    continuous = [name for name, group in spec.members if group.kind != "permutation"]
    for what, chosen in (("all groups", spec), ("permutations", spec.without(*continuous))):
        maps = gj.symmetry.linear_maps(chosen)
        start = time.perf_counter()
        count = maps.count
        planning = time.perf_counter() - start
        theta = jax.eval_shape(lambda key, maps=maps: maps.init(key, 8, 8), jax.random.key(0))
        tree = {name: jax.ShapeDtypeStruct((*shape, 8), jnp.float32) for name, shape in shapes.items()}
        jitted = jax.jit(maps.apply)
        start = time.perf_counter()
        lowered = jitted.lower(theta, tree)
        tracing = time.perf_counter() - start
        spent = clocked(lowered.compile)[0] / 1e3
        yield {
            "groups": what,
            "leaves": len(shapes),
            "maps": count,
            "arrays of coefficients": len(jax.tree.leaves(theta)),
            "planning_s": planning,
            "tracing_s": tracing,
            "compile_s": spent,
        }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one small net, two runs, and nothing written")
    quick = parser.parse_args().quick
    repeats = 2 if quick else 100
    report = {"networks": [], "tensors": [], "compiling": []}
    for row in networks(repeats, quick):
        report["networks"].append(row)
        print(json.dumps(row), flush=True)
    for n in (4,) if quick else (8, 16):
        report["tensors"].append(brauer(n, repeats))
        print(json.dumps(report["tensors"][-1]), flush=True)
    for row in compiling(quick):
        report["compiling"].append(row)
        print(json.dumps(row), flush=True)
    if not quick:
        save("linear_maps", report)


if __name__ == "__main__":
    main()
