"""How much of an ensemble's spread is symmetry: distances between networks before and after the quotient.

    python benchmarks/bench_posterior_symmetry.py [--networks 32] [--quick]

ReLU networks 64-w-w-10 trained on scikit-learn's digits from different seeds stand for samples of a posterior. Reported
are the mean squared distance of two of them, the share of their variance along the first principal axis, and the same
for representatives modulo scalings, modulo scalings and permutations by `canonicalize`, and after weight matching of
all to the first.
"""

import argparse
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from record import save
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits

import geojax as gj

STEPS = 600


def network(params, x):
    for layer in params[:-1]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ params[-1]["w"] + params[-1]["b"]


def train(key, width, steps, x, y):
    """One network of two hidden layers; all of the data in each step."""
    sizes = (x.shape[1], width, width, 10)
    keys = jax.random.split(key, 3)
    params = [
        {"w": jax.random.normal(k, (n, m)) * (2 / n) ** 0.5, "b": jnp.zeros(m)}
        for k, (n, m) in zip(keys, itertools.pairwise(sizes), strict=True)
    ]
    optimiser = optax.adam(3e-3)

    def loss(params):
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(network(params, x), y))

    def step(carry, _):
        params, state = carry
        updates, state = optimiser.update(jax.grad(loss)(params), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimiser.init(params)), length=steps)[0][0]


def spread(stack):
    """Mean squared distance of two members of a stack, and the share of the variance on its first axis."""
    rows = np.concatenate([np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(stack)], 1)
    centred = rows - rows.mean(0)
    values = np.linalg.eigvalsh(centred @ centred.T)
    return 2 * values.sum() / (len(rows) - 1), values[-1] / values.sum()


def measure(width, count, steps, x, y):
    """The spread of the ensemble under each quotient."""
    stack = jax.jit(jax.vmap(lambda key: train(key, width, steps, x, y)))(
        jax.random.split(jax.random.key(0), count)
    )
    first = jax.tree.map(lambda leaf: leaf[0], stack)
    spec = gj.symmetry.infer(network, first, x[:8])

    def least(params):
        return gj.symmetry.act(spec, gj.symmetry.min_norm_rescaling(spec, params).element, params)

    def aligned(params):
        found = gj.symmetry.weight_matching(spec, least(first), least(params), key=jax.random.key(1))
        return least(gj.symmetry.act(spec, found.element, least(params)))

    quotients = {
        "none": lambda params: params,
        "scalings": least,
        "scalings, canonical order": lambda params: gj.symmetry.canonicalize(spec, params),
        "scalings, matched to one": aligned,
    }
    return {name: spread(jax.jit(jax.vmap(quotient))(stack)) for name, quotient in quotients.items()}


def main():
    """Measures each width, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=32)
    parser.add_argument("--quick", action="store_true", help="small networks, and nothing written")
    arguments = parser.parse_args()
    widths, count, steps = ((4,), 4, 5) if arguments.quick else ((8, 16, 32, 64), arguments.networks, STEPS)
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16, jnp.float32), jnp.asarray(digits.target)
    table = Table("width", "modulo", "mean squared distance", "of the whole", "first axis")
    record = {}
    for width in widths:
        spreads = measure(width, count, steps, x, y)
        whole = spreads["none"][0]
        record[str(width)] = {
            name: {"distance": d, "share": d / whole, "first axis": axis}
            for name, (d, axis) in spreads.items()
        }
        for name, (d, axis) in spreads.items():
            table.add_row(str(width), name, f"{d:.1f}", f"{d / whole:.2f}", f"{axis:.2f}")
    Console().print(table)
    if not arguments.quick:
        save("posterior_symmetry", {"networks": count, "widths": record})


if __name__ == "__main__":
    main()
