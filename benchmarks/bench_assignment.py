"""Exact assignment beside scipy: one process, the same costs, calls interleaved.

    python benchmarks/bench_assignment.py [--quick]

Writes benchmarks/results/assignment.json. The target on CPU is at most 1.3 times scipy plus 0.5 ms for n >= 256, and a
batch of 1,000 problems of size 16 well below the time of 1,000 host calls.
"""

import argparse
import json
import os
import platform
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment
from timing import interleaved

from geojax.transport import assignment
from geojax.transport.augmenting_path import shortest_augmenting_path

RESULTS = Path(__file__).parent / "results" / "assignment.json"


def families(n):
    """Costs of three kinds: noise, distances, and near permutations as they occur late in coordinate descent."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n, 3))
    return {
        "normal": rng.normal(size=(n, n)),
        "distances": np.linalg.norm(x[:, None] - y, axis=-1),
        "easy": rng.normal(size=(n, n)) - 5 * np.eye(n)[rng.permutation(n)],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="sizes up to 256 only")
    quick = parser.parse_args().quick
    host, device = jax.jit(assignment), jax.jit(shortest_augmenting_path)
    rows = []
    for n in (16, 64, 256) if quick else (16, 64, 256, 512, 1024):
        for name, cost in families(n).items():
            cost = cost.astype(np.float32)
            array = jnp.asarray(cost)
            timing, _ = interleaved(
                {
                    "scipy": lambda cost=cost: linear_sum_assignment(cost)[1],
                    "geojax": lambda array=array: host(array),
                    "geojax, pure JAX": lambda array=array: device(array),
                },
                repeats=7 if n >= 512 else 21,
            )
            objective = {
                "scipy": float(cost[linear_sum_assignment(cost)].sum()),
                "geojax": float(cost[np.arange(n), np.asarray(host(array))].sum()),
                "geojax, pure JAX": float(cost[np.arange(n), np.asarray(device(array))].sum()),
            }
            rows.append({"n": n, "costs": name, "time": timing, "objective": objective})
            print(n, name, {k: round(v["median_ms"], 3) for k, v in timing.items()}, flush=True)

    stack = np.random.default_rng(1).normal(size=(1000, 16, 16)).astype(np.float32)
    array = jnp.asarray(stack)
    mapped, scanned = jax.jit(jax.vmap(assignment)), jax.jit(lambda x: jax.lax.map(assignment, x))
    timing, _ = interleaved(
        {
            "scipy loop": lambda: np.stack([linear_sum_assignment(c)[1] for c in stack]),
            "geojax vmap": lambda: mapped(array),
            "geojax scan": lambda: scanned(array),
        },
        repeats=11,
    )
    rows.append({"n": 16, "batch": 1000, "costs": "normal", "time": timing})
    print("1000 x 16", {k: round(v["median_ms"], 3) for k, v in timing.items()})

    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(
        json.dumps({"machine": machine, "jax": jax.__version__, "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
