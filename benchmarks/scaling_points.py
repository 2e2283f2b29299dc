"""One point of a scaling curve, or the limits of the machine, in a process of its own.

    python scaling_points.py CURVE N REPEATS
    python scaling_points.py limits

Prints a line of JSON: times of a warm call, the peak of the resident memory while it runs above what the process held
once the program was compiled (inputs, outputs and all in between; nothing of the interpreter or the compiler), and the
operations and bytes that cannot be avoided.
"""

import ctypes
import functools
import itertools
import json
import statistics
import sys
import time
from pathlib import Path

import bench_inference
import jax
import jax.numpy as jnp
import numpy as np
from timing import clocked, interleaved, summary

from geojax.manifolds import Grassmann, SPDAffineInvariant
from geojax.symmetry import infer, weight_matching
from geojax.transport import random_directions, sinkhorn, sliced_wasserstein

DIRECTIONS = 64
SIZES = tuple(
    1 << k for k in (16, 19, 22, 25, 28)
)  # bytes, from what the first cache holds to what none does
SPD, FRAME = 16, (64, 8)
INPUTS, CLASSES = 784, 10


def resident(name):
    """VmRSS or VmHWM of this process in bytes; none where the system does not say."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    found = [line.split()[1] for line in lines if line.startswith(name)]
    return 1024 * int(found[0]) if found else None


def settle():
    """Free memory goes back to the system, and the peak starts again from what is held."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def transport_sinkhorn(n):
    """float32, epsilon a twentieth of the mean cost; each iteration reads the kernel for both products."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)) + 0.5
    cost = np.sum((x[:, None] - y) ** 2, -1).astype(np.float32)
    w = jnp.full(n, 1 / n, jnp.float32)

    def call(cost):
        found = sinkhorn(cost, w, w, epsilon=0.05 * jnp.mean(cost), tol=1e-5)
        return found.f, found.g, found.num_steps

    return call, (cost,), lambda out: (4 * n * n * int(out[2]), 4 * n * n, 2 * int(out[2]))


def transport_sliced(n):
    """float32, 64 directions in three dimensions; projections are written and read once, and sorting is not counted."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n, 3)).astype(np.float32)
    theta = random_directions(jax.random.key(0), (DIRECTIONS, 3)).astype(jnp.float32)

    def call(x, y):
        return sliced_wasserstein(x, y, projections=theta).value

    return call, (x, y), lambda _: (12 * n * DIRECTIONS, 8 * n * DIRECTIONS, 2)


def definite(count):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(count, SPD, 2 * SPD))
    return np.einsum("bij,bkj->bik", a, a) / (2 * SPD)


def manifolds_spd(n):
    """float64: a Cholesky factor, two solves, an eigendecomposition (9 d^3) and two products, or 16 d^3."""
    x = definite(2 * n)
    log = jax.vmap(SPDAffineInvariant().log)
    return log, (x[:n], x[n:]), lambda _: (16 * n * SPD**3, 24 * n * SPD**2, 1)


def manifolds_grassmann(n):
    """float64: five products with the frames and a decomposition of one of them (14 m k^2), or 24 m k^2."""
    rng = np.random.default_rng(0)
    m, k = FRAME
    x = np.linalg.qr(rng.normal(size=(n, m, k)))[0]
    y = np.linalg.qr(x + 0.1 * rng.normal(size=(n, m, k)))[0]
    return jax.vmap(Grassmann().log), (x, y), lambda _: (24 * n * m * k * k, 24 * n * m * k, 1)


def perceptron(params, x):
    for w, b in params[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def symmetry_matching(n):
    """float32, 784-n-n-n-10: one sweep's products, though it takes several and the assignments besides."""
    rng = np.random.default_rng(0)
    sizes = (INPUTS, n, n, n, CLASSES)

    def draw():
        return [
            ((rng.normal(size=(i, o)) / np.sqrt(i)).astype(np.float32), np.zeros(o, np.float32))
            for i, o in itertools.pairwise(sizes)
        ]

    a, b = draw(), draw()
    spec = infer(perceptron, a, jax.ShapeDtypeStruct((2, INPUTS), jnp.float32))
    spec = spec.without(*(name for name, group in spec.members if group.kind != "permutation"))

    def call(a, b):
        found = weight_matching(spec, a, b, key=jax.random.key(0))
        return found.element, found.num_steps

    bytes_read = 8 * sum(i * o for i, o in itertools.pairwise(sizes))
    return call, (a, b), lambda _: (2 * n * n * (INPUTS + 4 * n + CLASSES), bytes_read, 1)


def symmetry_infer(n, repeats):
    """A transformer of n blocks, from shapes alone; what cannot be avoided is that JAX traces it."""
    params = bench_inference.shapes(n)
    patches = jax.ShapeDtypeStruct((1, bench_inference.TOKENS, bench_inference.PATCH), jnp.float32)
    times, tracing = [], []
    settle()
    before = resident("VmRSS")
    for _ in range(repeats + 1):
        jax.clear_caches()
        tracing.append(clocked(lambda: jax.make_jaxpr(bench_inference.vit)(params, patches))[0])
        times.append(clocked(lambda: len(infer(bench_inference.vit, params, patches).groups))[0])
    peak = resident("VmHWM")
    return summary(times[0], times[1:]) | {
        "limit_ms": statistics.median(tracing[1:]),
        "bound": "tracing by JAX",
        "peak_bytes": None if peak is None else peak - before,
    }


CURVES = {
    "sinkhorn": transport_sinkhorn,
    "sliced_wasserstein": transport_sliced,
    "SPD log": manifolds_spd,
    "Grassmann log": manifolds_grassmann,
    "weight_matching": symmetry_matching,
}


def point(curve, n, repeats):
    """Times and memory of one call, its operations, and its inputs and outputs in bytes."""
    call, inputs, work = CURVES[curve](n)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), inputs)
    start = time.perf_counter()
    program = jax.jit(call).lower(*shapes).compile()
    compile_ms = 1e3 * (time.perf_counter() - start)
    settle()
    before = resident("VmRSS")
    # What the inputs hold as NumPy arrays was there before: the copies that JAX holds are counted.
    inputs = jax.tree.map(lambda x: jnp.array(x, copy=True), inputs)
    first, out = clocked(lambda: program(*inputs))
    times = [clocked(lambda: program(*inputs))[0] for _ in range(repeats)]
    peak = resident("VmHWM")
    operations, moved, passes = work(out)
    return summary(first, times) | {
        "compile_ms": compile_ms,
        "peak_bytes": None if peak is None else peak - before,
        "in_and_out_bytes": sum(x.nbytes for x in jax.tree.leaves((inputs, out))),
        "operations": operations,
        "bytes of a pass": moved,
        "passes": passes,
        "dtype": str(jax.tree.leaves(inputs)[0].dtype),
    }


def limits():
    """Rates of this machine: products of matrices, and passes over arrays of several sizes, copied or read."""
    rates = {"operations per second": {}, "bytes per second": {}}
    product = jax.jit(jnp.matmul)
    for dtype in ("float32", "float64"):
        a = jnp.ones((1024, 1024), dtype)
        timing, _ = interleaved({"product": lambda a=a: product(a, a)}, 9)
        rates["operations per second"][dtype] = 2 * 1024**3 / (1e-3 * timing["product"]["min_ms"])
    for size in SIZES:
        x, passes = jnp.ones(size // 4, jnp.float32), max(1, (1 << 28) // size)
        copy = jax.jit(lambda x, n=passes: jax.lax.fori_loop(0, n, lambda _, x: x + 1, x))
        read = jax.jit(lambda x, n=passes: jax.lax.fori_loop(0, n, lambda _, s: jnp.max(x + s), x[0]))
        timing, _ = interleaved({2: functools.partial(copy, x), 1: functools.partial(read, x)}, 7)
        fastest = max(kind * passes * size / timing[kind]["min_ms"] for kind in timing)
        rates["bytes per second"][str(size)] = 1e3 * fastest
    return rates


def main():
    jax.config.update("jax_enable_x64", True)
    if sys.argv[1] == "limits":
        found = limits()
    elif sys.argv[1] == "infer":
        found = symmetry_infer(int(sys.argv[2]), int(sys.argv[3]))
    else:
        found = point(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
