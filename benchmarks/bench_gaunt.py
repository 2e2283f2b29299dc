"""Products of functions on the sphere beside the contraction with all Gaunt coefficients, calls interleaved.

    python benchmarks/bench_gaunt.py [--quick] [--peer PYTHON]

Writes benchmarks/results/gaunt.json. PYTHON is the interpreter of an environment that has e3nn-jax, which multiplies by
Clebsch-Gordan coefficients. A batch of pairs of functions of degree L under vmap, in float32, with the product up to
degree L. "contraction" multiplies with the dense table [(L + 1)^2, (L + 1)^2, (L + 1)^2], "the non-zero entries" with
those alone, by a sum over segments. The results are compared before times are. First calls hold compilation.
"""

import argparse
import contextlib
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from record import save
from timing import Elsewhere, interleaved
from workers import Worker

from geojax.equivariant import gaunt_product, real_spherical_harmonics


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


def inputs(degree, batch):
    """A batch of pairs of functions by their coefficients."""
    return np.random.default_rng(0).normal(size=(2, batch, (degree + 1) ** 2)).astype(np.float32)


def compare(degree, batch, repeats, peer):
    a, b = inputs(degree, batch)
    calls = {name: jax.jit(jax.vmap(form)) for name, form in forms(degree).items()}
    takes = {name: lambda call=call: call(a, b) for name, call in calls.items()}
    if peer is not None:
        takes["e3nn-jax"] = lambda: Elsewhere(*peer.ask(str(degree)))
    timing, last = interleaved(takes, repeats)
    apart = {"e3nn-jax": last.pop("e3nn-jax")} if peer is not None else {}
    scale = float(jnp.max(jnp.abs(last["contraction"])))
    for name, found in last.items():
        apart[name] = float(jnp.max(jnp.abs(found - last["contraction"]))) / scale
    assert max(apart.values()) < 1e-5, apart
    ratios = {name: row["median_ms"] / timing["geojax"]["median_ms"] for name, row in timing.items()}
    print(degree, batch, {name: round(ratio, 2) for name, ratio in ratios.items()}, flush=True)
    return {"degree": degree, "batch": batch, "time": timing, "relative difference": apart}


def problems(degree, batch):
    """What the peer needs: points with our harmonics there, to find its own basis; the factors and the products."""
    points = np.random.default_rng(1).normal(size=(4 * (degree + 1) ** 2, 3)).astype(np.float32)
    a, b = inputs(degree, batch)
    return {
        f"points{degree}": points,
        f"harmonics{degree}": jax.vmap(lambda x: real_spherical_harmonics(degree, x))(points),
        f"a{degree}": a,
        f"b{degree}": b,
        f"out{degree}": jax.vmap(lambda a, b: gaunt_product(a, b, degree))(a, b),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    parser.add_argument("--peer", metavar="PYTHON")
    options = parser.parse_args()
    sizes = (
        [(1, 16, 3), (2, 16, 3)] if options.quick else [(degree, 256, 15) for degree in (1, 2, 4, 6, 8, 10)]
    )
    versions = {}
    with contextlib.ExitStack() as stack:
        peer = None
        if options.peer:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            known = {}
            for degree, batch, _ in sizes:
                known |= problems(degree, batch)
            np.savez(folder / "problems.npz", **known)
            peer = stack.enter_context(
                Worker("e3nn-jax", options.peer, "gaunt_peers.py", folder / "problems.npz", folder=folder)
            )
            versions = peer.ask("versions")
        rows = [compare(*size, peer if size[0] <= 6 else None) for size in sizes]
    if not options.quick:
        save("gaunt", {"rows": rows}, versions)


if __name__ == "__main__":
    main()
