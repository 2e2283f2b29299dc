"""Exact assignment beside scipy and optax: one process, the same costs, calls interleaved.

    python benchmarks/bench_assignment.py [--quick]

Writes benchmarks/results/assignment.json. The target on CPU is at most 1.3 times scipy plus 0.5 ms for n >= 256, and a
batch of 1,000 problems of size 16 well below the time of 1,000 host calls.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from optax.assignment import hungarian_algorithm
from record import save
from scipy.optimize import linear_sum_assignment
from timing import interleaved

from geojax.transport import assignment
from geojax.transport.discrete.augmenting_path import shortest_augmenting_path


def families(n):
    """Costs of three kinds: noise, distances, and near permutations as they occur late in coordinate descent."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n, 3))
    return {
        "normal": rng.normal(size=(n, n)),
        "distances": np.linalg.norm(x[:, None] - y, axis=-1),
        "easy": rng.normal(size=(n, n)) - 5 * np.eye(n)[rng.permutation(n)],
    }


def in_row_order(cost):
    """The columns that optax finds for rows 0, 1, ..., which it returns in another order."""
    rows, columns = hungarian_algorithm(cost)
    return jnp.zeros_like(columns).at[rows].set(columns)


def compare(n, name, cost, calls, repeats):
    """Times, and the cost of what each finds: the least that is possible, or it is no assignment."""
    cost = cost.astype(np.float32)
    array = jnp.asarray(cost)
    bound = {
        what: (lambda call=call: call(cost)) if what == "scipy" else (lambda call=call: call(array))
        for what, call in calls.items()
    }
    timing, last = interleaved(bound, repeats)
    objective = {what: float(cost[np.arange(n), np.asarray(found)].sum()) for what, found in last.items()}
    assert np.allclose(list(objective.values()), objective["scipy"], rtol=1e-5), objective
    print(n, name, {k: round(v["median_ms"], 3) for k, v in timing.items()}, flush=True)
    return {"n": n, "costs": name, "time": timing, "objective": objective}


def batch(count, repeats):
    """Many problems of size 16: a loop over scipy, and one program for all."""
    stack = np.random.default_rng(1).normal(size=(count, 16, 16)).astype(np.float32)
    array = jnp.asarray(stack)
    mapped, scanned = jax.jit(jax.vmap(assignment)), jax.jit(lambda x: jax.lax.map(assignment, x))
    timing, last = interleaved(
        {
            "scipy loop": lambda: np.stack([linear_sum_assignment(c)[1] for c in stack]),
            "geojax vmap": lambda: mapped(array),
            "geojax scan": lambda: scanned(array),
        },
        repeats,
    )
    assert all(np.array_equal(found, last["scipy loop"]) for found in last.values())
    print(f"{count} x 16", {k: round(v["median_ms"], 3) for k, v in timing.items()})
    return {"n": 16, "batch": count, "costs": "normal", "time": timing}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    quick = parser.parse_args().quick
    calls = {
        "scipy": lambda cost: linear_sum_assignment(cost)[1],
        "geojax": jax.jit(assignment),
        "geojax, pure JAX": jax.jit(shortest_augmenting_path),
        "optax": jax.jit(in_row_order),
    }
    rows = []
    for n in (16,) if quick else (16, 64, 256, 512, 1024):
        for name, cost in families(n).items():
            rows.append(compare(n, name, cost, calls, 3 if quick else 7 if n >= 512 else 21))
    rows.append(batch(*(10, 3) if quick else (1000, 11)))
    if not quick:
        save("assignment", {"rows": rows})


if __name__ == "__main__":
    main()
