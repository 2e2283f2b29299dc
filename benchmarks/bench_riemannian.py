"""Dominant subspaces of symmetric matrices: whole solves under vmap beside pymanopt and PyPI's geojax.

    python benchmarks/bench_riemannian.py [--pymanopt PYTHON] [--geojax PYTHON] [--quick]

Writes benchmarks/results/riemannian.json. PYTHON is the interpreter of an environment that has the peer; its best three
methods solve some of the same problems, one after another, with hand-written gradients and Hessians, and the time for
all is scaled up by the number of problems. All get the matrix product once a gradient and start from the same frames.
Gaps are (best - reached) / best in float64, of the frames made orthonormal again.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "riemannian.json"
TOL = 1e-5  # norm of the Riemannian gradient; gaps are then below 1e-8


def problems(batch, n, k):
    """Matrices with eigenvalues 1, 1/2, 1/3, ... and random frames to start from."""
    rng = np.random.default_rng(0)
    values = 1 / np.arange(1, n + 1)
    frames = np.linalg.qr(rng.normal(size=(batch, n, n)))[0]
    starts = np.linalg.qr(rng.normal(size=(batch, n, k)))[0]
    return (frames * values) @ np.swapaxes(frames, 1, 2), starts


def gap(matrix, frame):
    """Relative gap of half the trace of the matrix on the span of the frame."""
    frame = np.linalg.qr(np.asarray(frame, np.float64))[0]
    best = np.sum(np.linalg.eigvalsh(matrix)[-frame.shape[1] :])
    return float((best - np.trace(frame.T @ matrix @ frame)) / best)


def ours(matrices, starts, repeats):
    """Every method in both precisions: all problems in one program."""
    import jax
    import jax.numpy as jnp
    from timing import interleaved

    from geojax.manifolds import Grassmann
    from geojax.optim import LBFGS, BarzilaiBorwein, TrustRegion, minimize

    jax.config.update("jax_enable_x64", True)

    @jax.custom_jvp
    def energy(matrix, frame):
        return -jnp.vdot(frame, matrix @ frame) / 2

    @energy.defjvp
    def _(primals, tangents):
        matrix, frame = primals
        product = matrix @ frame  # once, for the value and the gradient
        return -jnp.vdot(frame, product) / 2, -jnp.vdot(product, tangents[1])

    def solver(method, dtype):
        a, x = jnp.asarray(matrices, dtype), jnp.asarray(starts, dtype)
        solve = jax.jit(
            jax.vmap(
                lambda a, x: minimize(
                    Grassmann(), lambda frame: energy(a, frame), x, method=method, tol=TOL, max_steps=500
                )
            )
        )
        return lambda: solve(a, x)

    methods = {
        "Barzilai-Borwein": BarzilaiBorwein(),
        "trust region": TrustRegion(),
        "L-BFGS": LBFGS(memory=4),
    }
    calls = {
        f"{name}, {dtype}": solver(method, dtype)
        for name, method in methods.items()
        for dtype in ("float64", "float32")
    }
    times, last = interleaved(calls, repeats)
    return {
        name: {
            **times[name],
            "worst_gap": max(map(gap, matrices, result.point)),
            "steps": int(np.max(result.num_steps)),
            "statuses": sorted({int(status) for status in result.status}),
        }
        for name, result in last.items()
    }


def run_peer(peer, path):
    """Inside the peer's interpreter: solve problem after problem with each method, print what was found."""
    data = np.load(path)
    solvers = (pymanopt_solvers if peer == "pymanopt" else pypi_geojax_solvers)(data["starts"].shape[1:])
    found = {}
    for name, solve in solvers.items():
        seconds, gaps = [], []
        solve(data["matrices"][0], data["starts"][0])
        for matrix, start in zip(data["matrices"], data["starts"]):
            begin = time.perf_counter()
            frame = solve(matrix, start)
            seconds.append(time.perf_counter() - begin)
            gaps.append(gap(matrix, frame))
        found[name] = {"median_ms": 1e3 * statistics.median(seconds), "worst_gap": max(gaps)}
    print(json.dumps(found))


def pymanopt_solvers(shape):
    """Trust region, conjugate gradient and steepest descent, with gradient and Hessian by hand."""
    import pymanopt  # type: ignore[import-not-found]  # pyright: ignore
    from pymanopt import optimizers  # pyright: ignore

    manifold = pymanopt.manifolds.Grassmann(*shape)

    def solver(kind):
        def solve(matrix, start):
            @pymanopt.function.numpy(manifold)
            def cost(x):
                return -np.vdot(x, matrix @ x) / 2

            @pymanopt.function.numpy(manifold)
            def gradient(x):
                return -(matrix @ x)

            @pymanopt.function.numpy(manifold)
            def hessian(x, u):
                return -(matrix @ u)

            problem = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient, euclidean_hessian=hessian)
            optimiser = kind(verbosity=0, min_gradient_norm=TOL, max_iterations=3000)
            return optimiser.run(problem, initial_point=start).point

        return solve

    kinds = (optimizers.TrustRegions, optimizers.ConjugateGradient, optimizers.SteepestDescent)
    return {kind.__name__: solver(kind) for kind in kinds}


def pypi_geojax_solvers(shape):
    """Trust region, Barzilai-Borwein and conjugate gradient of the other geojax, with gradient and Hessian by hand."""
    import jax
    import jax.numpy as jnp

    import geojax as peer

    jax.config.update("jax_enable_x64", True)
    manifold = peer.Grassmann(size=shape)  # type: ignore[attr-defined]
    product = jax.jit(jnp.matmul)

    def solver(kind):
        def solve(matrix, start):
            a = jnp.asarray(matrix)
            problem = peer.Minimize(  # type: ignore[attr-defined]
                M=manifold,
                cost=lambda x: -jnp.vdot(x, product(a, x)) / 2,
                egrad=lambda x: -product(a, x),
                ehess_vec=lambda x, u: -product(a, u),
                x0=jnp.asarray(start),
                solver=kind(verbosity=0, tolgradnorm=TOL, maxiter=3000),
            )
            return np.asarray(problem.solve()[0])

        return solve

    kinds = (peer.TrustRegions, peer.BarzilaiBorwein, peer.ConjugateGradient)  # type: ignore[attr-defined]
    return {kind.__name__: solver(kind) for kind in kinds}


def peers(interpreters, matrices, starts, count):
    """What each peer finds on the first `count` problems."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problems.npz"
        np.savez(path, matrices=matrices[:count], starts=starts[:count])
        for peer, interpreter in interpreters.items():
            command = [interpreter, str(Path(__file__).resolve()), "--peer", peer, str(path)]
            # Elsewhere than here, so that the peer's geojax is the one that is imported.
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
            if done.returncode:
                print(f"{peer} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
                continue
            for name, row in json.loads(done.stdout.splitlines()[-1]).items():
                found[f"{peer}, {name}"] = {**row, "all_problems_ms": len(matrices) * row["median_ms"]}
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    parser.add_argument("--pymanopt", help="interpreter of an environment with pymanopt")
    parser.add_argument("--geojax", help="interpreter of an environment with PyPI's geojax")
    parser.add_argument("--peer", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        run_peer(*arguments.peer)
        return
    batch, n, k, repeats, count = (2, 24, 2, 2, 2) if arguments.quick else (32, 512, 8, 7, 8)
    matrices, starts = problems(batch, n, k)
    interpreters = {"pymanopt": arguments.pymanopt, "PyPI geojax": arguments.geojax}
    theirs = peers({name: path for name, path in interpreters.items() if path}, matrices, starts, count)
    found = {"geojax": ours(matrices, starts, repeats), "peers": theirs}
    good = [row["all_problems_ms"] for row in theirs.values() if row["worst_gap"] <= 1e-8]
    if good:
        for row in found["geojax"].values():
            row["times_the_best_peer"] = min(good) / row["median_ms"]
    print(json.dumps(found, indent=1))
    if arguments.quick:
        return
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    sizes = {"problems": batch, "n": n, "k": k, "tol": TOL}
    RESULTS.write_text(json.dumps({"machine": machine, "sizes": sizes, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
