"""How long `infer` takes on transformers of growing depth, from shapes alone.

    python benchmarks/bench_inference.py [--quick]

ViT-B's shapes (width 768, 12 heads, 197 tokens), unrolled, at 3, 12 and 48 blocks. Tracing by JAX and reading the jaxpr
are timed apart; the symmetry is read from shapes, so that nothing is evaluated. No other library reads symmetries off a
program, so that tracing is what stands beside it.
"""

import argparse
import json
import statistics
import time

import jax
import jax.numpy as jnp
from record import save

import geojax as gj

WIDTH, HEADS, TOKENS, CLASSES, PATCH = 768, 12, 197, 1000, 768
DEPTHS = (3, 12, 48)
RUNS = 7


def layer_norm(x, scale, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6) * scale + bias


def block(x, p):
    h = layer_norm(x, p["scale1"], p["bias1"])
    q, k, v = (jnp.einsum("btd,dhc->bthc", h, p[name]) + p[name + "_bias"] for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k) / (WIDTH // HEADS) ** 0.5)
    x = x + jnp.einsum("bhts,bshc,hcd->btd", weights, v, p["o"]) + p["o_bias"]
    h = layer_norm(x, p["scale2"], p["bias2"])
    return x + jax.nn.gelu(h @ p["up"] + p["up_bias"]) @ p["down"] + p["down_bias"]


def vit(params, patches):
    x = patches @ params["embed"] + params["position"]
    for p in params["blocks"]:
        x = block(x, p)
    return layer_norm(x[:, 0], params["scale"], params["bias"]) @ params["head"]


def shapes(depth):
    inner = WIDTH // HEADS
    one = dict.fromkeys("qkv", (WIDTH, HEADS, inner)) | {f"{name}_bias": (HEADS, inner) for name in "qkv"}
    one |= {
        "o": (HEADS, inner, WIDTH),
        "up": (WIDTH, 4 * WIDTH),
        "up_bias": (4 * WIDTH,),
        "down": (4 * WIDTH, WIDTH),
    }
    one |= dict.fromkeys(("o_bias", "down_bias", "scale1", "bias1", "scale2", "bias2"), (WIDTH,))
    tree = {
        "embed": (PATCH, WIDTH),
        "position": (TOKENS, WIDTH),
        "blocks": [one] * depth,
        "head": (WIDTH, CLASSES),
    }
    tree |= {"scale": (WIDTH,), "bias": (WIDTH,)}
    return jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32),
        tree,
        is_leaf=lambda leaf: isinstance(leaf, tuple),
    )


def measure(depth, runs):
    params, patches = shapes(depth), jax.ShapeDtypeStruct((1, TOKENS, PATCH), jnp.float32)
    tracing, whole = [], []
    for _ in range(runs):
        jax.clear_caches()
        start = time.perf_counter()
        program = jax.make_jaxpr(vit)(params, patches)
        tracing.append(time.perf_counter() - start)
        start = time.perf_counter()
        spec = gj.symmetry.infer(vit, params, patches)
        whole.append(time.perf_counter() - start)
    return {
        "blocks": depth,
        "equations": len(program.jaxpr.eqns),
        "groups": len(spec.groups),
        "tracing_median_s": statistics.median(tracing),
        "infer_median_s": statistics.median(whole),
        "infer_min_s": min(whole),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one block, two runs, and nothing written")
    quick = parser.parse_args().quick
    rows = []
    for depth in (1,) if quick else DEPTHS:
        rows.append(measure(depth, 2 if quick else RUNS))
        print(json.dumps(rows[-1]), flush=True)
    if not quick:
        save("inference", {"rows": rows})


if __name__ == "__main__":
    main()
