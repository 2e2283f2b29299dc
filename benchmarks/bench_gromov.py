"""Gromov-Wasserstein beside POT and ott: one process, the same distances, weights and entropy.

    python benchmarks/bench_gromov.py [--quick]

Writes benchmarks/results/gromov.json. The objective of all three is the squared-loss distortion with the entropy
epsilon KL(P | a b^T), from the start a b^T; the distortion of each plan is measured in float64 from the plan itself,
after it has been rounded to an exact coupling. First calls compile on shapes that none has seen in this process; then
all three take turns, seven rounds, POT in as many as ten seconds allow and in one at least ("repeats").
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import ot
from ott.geometry import geometry
from ott.problems.quadratic import quadratic_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn
from ott.solvers.quadratic import gromov_wasserstein as ott_gromov
from record import save
from timing import clocked, summary

from geojax.transport import gromov_wasserstein

POT_BUDGET_MS = (
    10_000.0  # its slow solves are repeated less often: at least once, until this much time is spent
)


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


def compare(n, epsilon, seed, repeats):
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

    def pot():
        plan = ot.gromov.entropic_gromov_wasserstein(
            cost_x, cost_y, a, b, "square_loss", epsilon=epsilon, max_iter=1000, tol=1e-9
        )
        return plan, -1, 0

    inputs = jnp.asarray(cost_x), jnp.asarray(cost_y)
    order = [("geojax", lambda: ours(*inputs)), ("ott", lambda: theirs(*inputs)), ("POT", pot)]
    calls = dict(order if seed % 2 == 0 else order[::-1])
    first, last = {}, {}
    for name, call in calls.items():
        first[name], last[name] = clocked(call)
    times = {name: [] for name in calls}
    for k in range(repeats):
        for name, call in calls.items():
            if name != "POT" or k * first[name] < POT_BUDGET_MS:
                times[name].append(clocked(call)[0])
    row = {"n": n, "epsilon": epsilon, "seed": seed}
    for name, (plan, steps, status) in last.items():
        cost = distortion(cost_x, cost_y, rounded(plan, a, b))
        found = summary(first[name], times[name]) | {"repeats": len(times[name]), "cost": cost}
        row[name] = found if name == "POT" else found | {"steps": int(steps), "status": int(status)}
    print(
        {k: v if not isinstance(v, dict) else {p: round(q, 6) for p, q in v.items()} for k, v in row.items()},
        flush=True,
    )
    assert row["geojax"]["cost"] <= row["POT"]["cost"] * (1 + 1e-3), row
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    quick = parser.parse_args().quick
    jax.config.update("jax_enable_x64", True)
    if quick:
        compare(16, 0.5, 0, 2)
        return
    sizes, strengths = (64, 128, 256, 512), (0.5, 0.1, 0.05)
    save("gromov", {"rows": [compare(n, e, s, 7) for n in sizes for e in strengths for s in (0, 1)]})


if __name__ == "__main__":
    main()
