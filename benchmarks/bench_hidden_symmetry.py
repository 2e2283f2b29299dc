"""How often a random ReLU network has no symmetry beyond its scalings, by depth and width.

    python benchmarks/bench_hidden_symmetry.py [--networks 20] [--quick]

The experiment of Grigsby, Lindsey and Rolnick: networks as wide as their input, normal weights, one output. For each
the rank of the Jacobian on a sample is compared with the dimension that the inferred scalings reach. More inputs can
only raise the share: a region that no input meets makes parameters look idle.
"""

import argparse
import itertools

import jax
import numpy as np
from record import save
from rich.console import Console
from rich.progress import track
from rich.table import Table

import geojax as gj

DEPTHS = (1, 2, 3, 4, 5)
WIDTHS = (2, 3, 4, 5, 6, 8, 10)
INPUTS = 12


def network(params, x):
    for w, b in params[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def share(width, depth, count):
    """The share of networks without hidden symmetry."""
    sizes = (*[width] * (depth + 1), 1)
    shapes = [((a, b), (b,)) for a, b in itertools.pairwise(sizes)]
    number = sum(a * b + b for a, b in itertools.pairwise(sizes))
    x = jax.random.normal(jax.random.key(1), (INPUTS * number, width))

    def draw(key):
        keys = iter(jax.random.split(key, 2 * len(shapes)))
        return [
            (jax.random.normal(next(keys), w) * (2 / w[0]) ** 0.5, 0.3 * jax.random.normal(next(keys), b))
            for w, b in shapes
        ]

    spec = gj.symmetry.infer(network, jax.eval_shape(draw, jax.random.key(0)), x)
    defect = jax.jit(lambda key: gj.symmetry.hidden_symmetry_defect(spec, network, draw(key), x))
    return float(np.mean([defect(key) == 0 for key in jax.random.split(jax.random.key(2), count)]))


def main():
    """Fills the table, prints it and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="small networks, and nothing written")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    depths, widths, count = ((1,), (2, 3), 2) if arguments.quick else (DEPTHS, WIDTHS, arguments.networks)
    cells = list(itertools.product(depths, widths))
    shares = {cell: share(*cell[::-1], count) for cell in track(cells, description="networks")}
    table = Table("depth", *(f"width {width}" for width in widths))
    for depth in depths:
        table.add_row(str(depth), *(f"{shares[depth, width]:.2f}" for width in widths))
    Console().print(table)
    record = {
        "what": "share of random networks without hidden symmetry",
        "networks": count,
        "inputs per parameter": INPUTS,
        "share": {str(depth): {str(w): shares[depth, w] for w in widths} for depth in depths},
    }
    if not arguments.quick:
        save("hidden_symmetry", record)


if __name__ == "__main__":
    main()
