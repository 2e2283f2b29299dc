"""Gromov-Wasserstein beside POT and ott: one process, the same distances, weights and entropy.

    python benchmarks/bench_gromov.py [--quick]

Writes benchmarks/results/gromov.json. The objective of all three is the squared-loss distortion with the entropy
epsilon KL(P | a b^T), from the start a b^T; the distortion of each plan is measured in float64 from the plan itself,
after it has been rounded to an exact coupling. First calls of geojax and ott compile in the same process without a
compilation cache; they are taken in turn, on shapes that neither has seen.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import ot
from ott.geometry import geometry
from ott.problems.quadratic import quadratic_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn
from ott.solvers.quadratic import gromov_wasserstein as ott_gromov

from geojax.transport import gromov_wasserstein

RESULTS = Path(__file__).parent / "results" / "gromov.json"


def spaces(n, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    a, b = rng.dirichlet(np.full(n, 3.0)), rng.dirichlet(np.full(n, 3.0))
    return *(np.sqrt(((z[:, None] - z) ** 2).sum(-1)) for z in (x, y)), a, b


def rounded(plan, a, b):
    """The coupling nearest to a plan: rows and columns scaled down, the rest spread as a product."""
    plan = np.asarray(plan, np.float64)
    plan = plan * np.minimum(a / plan.sum(1), 1)[:, None]
    plan = plan * np.minimum(b / plan.sum(0), 1)
    rows, columns = a - plan.sum(1), b - plan.sum(0)
    return plan + np.outer(rows, columns) / max(rows.sum(), 1e-300)


def distortion(cost_x, cost_y, plan):
    rows, columns = plan.sum(1), plan.sum(0)
    own = rows @ cost_x**2 @ rows + columns @ cost_y**2 @ columns
    return float(own - 2 * np.sum((cost_x @ plan @ cost_y.T) * plan))


def timed(call):
    start = time.perf_counter()
    result = jax.block_until_ready(call())
    return 1e3 * (time.perf_counter() - start), result


def compare(n, epsilon, seed):
    cost_x, cost_y, a, b = spaces(n, seed)

    @jax.jit
    def ours(cost_x, cost_y):
        result = gromov_wasserstein(cost_x, cost_y, a, b, epsilon=epsilon)
        return result.plan, result.num_steps, result.status

    @jax.jit
    def theirs(cost_x, cost_y):
        problem = quadratic_problem.QuadraticProblem(
            geometry.Geometry(cost_x), geometry.Geometry(cost_y), a=jnp.asarray(a), b=jnp.asarray(b)
        )
        # ott's gradient of the squared loss is half of the derivative, so half the entropy matches.
        solver = ott_gromov.GromovWasserstein(
            ott_sinkhorn.Sinkhorn(max_iterations=2000),
            epsilon=epsilon / 2,
            relative_epsilon=None,
            max_iterations=1000,
        )
        out = solver(problem)
        return out.matrix, out.n_iters, out.converged

    inputs = jnp.asarray(cost_x), jnp.asarray(cost_y)
    row = {"n": n, "epsilon": epsilon, "seed": seed}
    order = [("geojax", ours), ("ott", theirs)]
    for name, function in order if seed % 2 == 0 else order[::-1]:
        first, (plan, steps, status) = timed(lambda function=function: function(*inputs))
        steady = min(timed(lambda function=function: function(*inputs))[0] for _ in range(3))
        row[name] = {
            "first_ms": first,
            "steady_ms": steady,
            "cost": distortion(cost_x, cost_y, rounded(plan, a, b)),
            "steps": int(steps),
            "status": int(status),
        }
    first, plan = timed(
        lambda: ot.gromov.entropic_gromov_wasserstein(
            cost_x, cost_y, a, b, "square_loss", epsilon=epsilon, max_iter=1000, tol=1e-9
        )
    )
    row["POT"] = {"steady_ms": first, "cost": distortion(cost_x, cost_y, rounded(plan, a, b))}
    print(
        {k: v if not isinstance(v, dict) else {p: round(q, 6) for p, q in v.items()} for k, v in row.items()}
    )
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="n = 64 only, one entropy")
    quick = parser.parse_args().quick
    jax.config.update("jax_enable_x64", True)
    sizes, strengths = ((64,), (0.1,)) if quick else ((64, 128, 256, 512), (0.5, 0.1, 0.05))
    rows = [compare(n, epsilon, seed) for n in sizes for epsilon in strengths for seed in (0, 1)]
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    if not quick:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(
            json.dumps({"machine": machine, "jax": jax.__version__, "rows": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
