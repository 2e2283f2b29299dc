"""Entropic transport beside ott: one process, the same cost matrices and marginal error, calls interleaved.

    python benchmarks/bench_transport.py [--quick]

Writes benchmarks/results/transport.json. ott's Sinkhorn runs in its default log domain with its default check every ten
iterations; both get the same threshold on the L1 marginal error, and the error reached is measured from the
potentials of both in float64. The time of fifty iterations of two bare matrix-vector products stands beside them.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from ott.geometry import geometry
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn
from record import save
from timing import interleaved

from geojax.transport import sinkhorn, sinkhorn_newton


def costs(n, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)) + 0.5
    squares = np.sum(x**2, 1)[:, None] + np.sum(y**2, 1) - 2 * x @ y.T
    return jnp.asarray(np.maximum(squares, 0), dtype), jnp.full(n, 1 / n, dtype)


def measured_error(f, g, cost, weights, epsilon):
    """L1 error of both marginals, in float64 on the host."""
    f, g, cost, w = (np.asarray(v, np.float64) for v in (f, g, cost, weights))
    plan = w[:, None] * w * np.exp((f[:, None] + g - cost) / float(epsilon))
    return float(np.abs(plan.sum(0) - w).sum() + np.abs(plan.sum(1) - w).sum())


def compare(n, ratio, tol, dtype, repeats):
    cost, w = costs(n, dtype)
    epsilon = ratio * jnp.mean(cost)

    @jax.jit
    def ours(cost):
        r = sinkhorn(cost, w, w, epsilon=epsilon, tol=tol)
        return r.f, r.g, r.num_steps, r.cost

    @jax.jit
    def newton(cost):
        r = sinkhorn_newton(cost, w, w, epsilon=epsilon, tol=tol)
        return r.f, r.g, r.num_steps, r.cost

    @jax.jit
    def theirs(cost):
        problem = linear_problem.LinearProblem(geometry.Geometry(cost, epsilon=epsilon), w, w)
        out = ott_sinkhorn.Sinkhorn(threshold=tol, max_iterations=2000)(problem)
        # ott's plan is exp((f + g - C) / epsilon): its potentials hold the weights.
        return out.f - epsilon * jnp.log(w), out.g - epsilon * jnp.log(w), out.n_iters, out.reg_ot_cost

    @jax.jit
    def products(cost):
        kernel = jnp.exp(-cost / epsilon)
        return jax.lax.scan(
            lambda c, _: ((1 / (kernel @ c[1]), 1 / (c[0] @ kernel)), None), (w, w), None, length=50
        )[0]

    calls = {"geojax sinkhorn": ours, "geojax newton": newton, "ott": theirs, "50 x two products": products}
    timing, last = interleaved({k: lambda f=f: f(cost) for k, f in calls.items()}, repeats)
    for name in calls:
        if name != "50 x two products":
            f, g, steps, value = last[name]
            timing[name] |= {
                "steps": int(steps),
                "cost": float(value),
                "error": measured_error(f, g, cost, w, epsilon),
            }
    row = {"n": n, "epsilon / mean cost": ratio, "tol": tol, "dtype": np.dtype(dtype).name, "time": timing}
    print(n, ratio, {k: round(v["median_ms"], 2) for k, v in timing.items()}, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    quick = parser.parse_args().quick
    rows = [compare(48, 0.05, 1e-5, jnp.float32, 3)] if quick else []
    if not quick:
        rows += [compare(256, 0.05, 1e-6, jnp.float32, 21), compare(1024, 0.05, 1e-6, jnp.float32, 9)]
        rows += [compare(2048, 0.05, 1e-6, jnp.float32, 7), compare(4096, 0.05, 1e-5, jnp.float32, 7)]
    jax.config.update("jax_enable_x64", True)
    if not quick:
        rows += [compare(256, 0.05, 1e-9, jnp.float64, 9), compare(256, 0.005, 1e-9, jnp.float64, 7)]
    for row in rows:
        # Measured in float64 from potentials that are rounded to their own precision.
        assert row["time"]["geojax newton"]["error"] <= 4 * row["tol"], row
    if not quick:
        save("transport", {"rows": rows})


if __name__ == "__main__":
    main()
