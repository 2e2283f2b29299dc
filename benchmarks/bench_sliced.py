"""Sliced Wasserstein distances beside ott and a plain jnp.sort: one process, the same directions, calls interleaved.

    python benchmarks/bench_sliced.py [--quick]

Writes benchmarks/results/sliced.json. All values and gradients are compared with each other, and geojax's gradient with
finite differences in float64. The control variates' rows give the variance over keys against that of plain sampling at
equal numbers of directions.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from ott.tools import sliced as ott_sliced
from record import save
from timing import interleaved

from geojax.transport import lower_control, random_directions, sliced_wasserstein, upper_control


def clouds(n, d, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d)) * np.linspace(0.5, 1.5, d) + 0.3
    return jnp.asarray(x, dtype), jnp.asarray(y, dtype)


def ours(x, y, theta):
    return sliced_wasserstein(x, y, projections=theta).value


def theirs(x, y, theta):
    return ott_sliced.sliced_wasserstein(x, y, proj_fn=lambda z: z @ theta.T)[0]


def plain(x, y, theta):
    return jnp.mean((jnp.sort(theta @ x.T, axis=1) - jnp.sort(theta @ y.T, axis=1)) ** 2)


def compare(n, d, k, repeats):
    x, y = clouds(n, d)
    theta = random_directions(jax.random.key(0), (k, d)).astype(x.dtype)
    rows = {}
    for what, transform in {
        "value": lambda f: f,
        "value and gradient": lambda f: jax.value_and_grad(f, (0, 1)),
    }.items():
        functions = {"geojax": ours, "ott": theirs, "jnp.sort": plain}
        compiled = {name: jax.jit(transform(f)) for name, f in functions.items()}
        timing, last = interleaved(
            {name: lambda f=f: f(x, y, theta) for name, f in compiled.items()}, repeats
        )
        for name, result in last.items():
            leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(result)]
            reference = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(last["jnp.sort"])]
            timing[name]["value"] = float(leaves[0])
            timing[name]["largest relative difference from jnp.sort"] = max(
                float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(leaves, reference)
            )
        rows[what] = timing
        print(n, d, k, what, {name: round(t["median_ms"], 2) for name, t in timing.items()}, flush=True)
    return {"n": n, "d": d, "projections": k, "dtype": "float32", "time": rows}


def gradient_error(n, d, k):
    """Relative error of the directional derivative against central differences, in float64."""
    x, y = clouds(n, d, jnp.float64)
    theta = random_directions(jax.random.key(1), (k, d)).astype(x.dtype)
    move = jax.random.normal(jax.random.key(2), x.shape, x.dtype)
    value = jax.jit(ours)
    slope = (value(x + 1e-7 * move, y, theta) - value(x - 1e-7 * move, y, theta)) / 2e-7
    return float(abs(jnp.vdot(jax.grad(ours)(x, y, theta), move) / slope - 1))


def data_sets(n):
    rng = np.random.default_rng(1)
    scales = np.array([3.0, 1.0, 1.0, 0.3, 0.1])
    x, y = rng.normal(size=(n, 5)), rng.normal(size=(n, 5))
    yield "apart", x, 0.5 * y + 1
    yield "equal means, other spread", (x - x.mean(0)) * scales, y - y.mean(0)
    yield "heavy tails", rng.standard_t(3, size=(n, 5)) * scales, y


def variances(n, k, keys):
    """Variance of the estimate with each control over that without, at k directions."""
    rows = {}
    for name, x, y in data_sets(n):
        x, y = jnp.asarray(x), jnp.asarray(y)

        def spread(control, x=x, y=y):
            def one(key):
                theta = random_directions(key, (k, 5)).astype(x.dtype)
                return sliced_wasserstein(x, y, projections=theta, control=control).value

            return float(jnp.var(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(3), keys))))

        base = spread(None)
        rows[name] = {"lower": spread(lower_control) / base, "upper": spread(upper_control) / base}
        print(name, {control: round(ratio, 4) for control, ratio in rows[name].items()}, flush=True)
    return {"n": n, "projections": k, "keys": keys, "variance over plain": rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    quick = parser.parse_args().quick
    sizes = [(128, 3, 16, 3)] if quick else [(1024, 3, 256, 15), (4096, 3, 256, 9), (4096, 64, 256, 9)]
    rows = [compare(*size) for size in sizes]
    jax.config.update("jax_enable_x64", True)
    error = gradient_error(*(64, 3, 8) if quick else (1024, 3, 256))
    print("relative error of the gradient", error)
    controls = variances(30, 16, 50) if quick else variances(200, 50, 500)
    for row in rows:
        for timing in row["time"].values():
            worst = max(found["largest relative difference from jnp.sort"] for found in timing.values())
            assert worst < 1e-3, row
    assert error < 1e-5
    if not quick:
        save("sliced", {"speed": rows, "gradient error": error, "control": controls})


if __name__ == "__main__":
    main()
