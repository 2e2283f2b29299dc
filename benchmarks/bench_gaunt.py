"""Products of functions on the sphere beside the contraction with all Gaunt coefficients, calls interleaved.

    python benchmarks/bench_gaunt.py [--quick]

Writes benchmarks/results/gaunt.json. A batch of pairs of functions of degree L under vmap, in float32, with the product
up to degree L. "contraction" multiplies with the dense table [(L + 1)^2, (L + 1)^2, (L + 1)^2], "the non-zero entries"
with those alone, by a sum over segments. The results are compared before times are. First calls hold compilation.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from record import save
from timing import interleaved

from geojax.equivariant import gaunt_product


def table(degree):
    """The Gaunt coefficients, as products of all pairs of harmonics in float64."""
    basis = np.eye((degree + 1) ** 2)
    with jax.enable_x64(True):
        pairs = jax.vmap(jax.vmap(lambda a, b: gaunt_product(a, b, degree), (None, 0)), (0, None))
        return np.asarray(jax.jit(pairs)(basis, basis))


def forms(degree):
    coefficients = table(degree)
    dense = jnp.asarray(coefficients, jnp.float32)
    i, j, k = np.nonzero(np.abs(coefficients) > 1e-12)
    values = jnp.asarray(coefficients[i, j, k], jnp.float32)

    def sparse(a, b):
        return jax.ops.segment_sum(values * a[i] * b[j], k, len(coefficients))

    return {
        "geojax": lambda a, b: gaunt_product(a, b, degree),
        "contraction": lambda a, b: jnp.einsum("i,j,ijk->k", a, b, dense, precision="highest"),
        "the non-zero entries": sparse,
    }


def compare(degree, batch, repeats):
    a, b = np.random.default_rng(0).normal(size=(2, batch, (degree + 1) ** 2)).astype(np.float32)
    calls = {name: jax.jit(jax.vmap(form)) for name, form in forms(degree).items()}
    timing, last = interleaved({name: lambda call=call: call(a, b) for name, call in calls.items()}, repeats)
    scale = float(jnp.max(jnp.abs(last["contraction"])))
    apart = {
        name: float(jnp.max(jnp.abs(found - last["contraction"]))) / scale for name, found in last.items()
    }
    assert max(apart.values()) < 1e-5, apart
    ratios = {name: row["median_ms"] / timing["geojax"]["median_ms"] for name, row in timing.items()}
    print(degree, batch, {name: round(ratio, 2) for name, ratio in ratios.items()}, flush=True)
    return {"degree": degree, "batch": batch, "time": timing, "relative difference": apart}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    quick = parser.parse_args().quick
    sizes = [(1, 16, 3), (2, 16, 3)] if quick else [(degree, 256, 15) for degree in (1, 2, 4, 6, 8, 10)]
    rows = [compare(*size) for size in sizes]
    if not quick:
        save("gaunt", {"rows": rows})


if __name__ == "__main__":
    main()
