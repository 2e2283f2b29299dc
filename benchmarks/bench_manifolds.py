"""Operations, retractions and Fréchet means beside the peers, each in a process of its own, taking turns.

    python benchmarks/bench_manifolds.py [--quick] [--peer geomstats=/path/python] [--peer geoopt=...] [--repeats 11]

Peers are geomstats, geoopt and geojax_pypi (PyPI's geojax, which has our import name: its Python must not see this
checkout); those not given are left out. Float64. Writes benchmarks/results/manifolds.json: first call, median, minimum
of the others in milliseconds, how far each answer is from ours, the error of dist at small angles against 50 digits.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import mpmath
import numpy as np

# Without it PyPI's geojax hangs within minutes on two cores: several batched decompositions that XLA runs at once wait
# for each other's threads. Both JAX libraries get it.
XLA_FLAGS = "--xla_cpu_enable_concurrency_optimized_scheduler=false"
HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "manifolds.json"
ROWS = (
    "spd exp",
    "spd log",
    "spd dist",
    "spd gradient of dist",
    "grassmann exp",
    "grassmann log",
    "stiefel polar retraction",
    "stiefel qr",
    "sphere mean",
    "spd mean",
    "sphere dist",
)


def arrays(quick):
    """Definite matrices of condition near 100, frames and tangents, points around a mean, pairs at small angles."""
    rng = np.random.default_rng(0)
    batch, size, frames, shape, points = (8, 4, 4, (8, 2), 16) if quick else (1024, 16, 256, (128, 8), 256)

    def definite(num):
        a = rng.normal(size=(num, size, size)) / np.sqrt(size)
        values, vectors = np.linalg.eigh(a + a.transpose(0, 2, 1))
        return (vectors * np.exp(values)[:, None]) @ vectors.transpose(0, 2, 1)

    u = rng.normal(size=(batch, size, size)) / size
    x = np.linalg.qr(rng.normal(size=(frames, *shape)))[0]
    v = rng.normal(size=x.shape) / np.sqrt(shape[0])
    v = v - x @ (x.transpose(0, 2, 1) @ v)
    sphere = np.eye(64)[0] + 0.15 * rng.normal(size=(points, 64))
    angles = 10.0 ** -np.arange(1, 9)
    return {
        "spd x": definite(batch),
        "spd y": definite(batch),
        "spd u": u + u.transpose(0, 2, 1),
        "grassmann x": x,
        "grassmann u": v,
        "grassmann y": np.linalg.qr(x + v)[0],
        "sphere points": sphere / np.linalg.norm(sphere, axis=1, keepdims=True),
        "spd points": definite(points),
        "angle x": np.tile([1.0, 0.0, 0.0], (len(angles), 1)),
        "angle y": np.stack([np.cos(angles), 0.6 * np.sin(angles), 0.8 * np.sin(angles)], axis=1),
    }


def exact_angles(x, y):
    with mpmath.workdps(50):

        def angle(a, b):
            apart = mpmath.sqrt(sum((mpmath.mpf(float(p)) - mpmath.mpf(float(q))) ** 2 for p, q in zip(a, b)))
            together = mpmath.sqrt(
                sum((mpmath.mpf(float(p)) + mpmath.mpf(float(q))) ** 2 for p, q in zip(a, b))
            )
            return float(2 * mpmath.atan2(apart, together))

        return np.array([angle(a, b) for a, b in zip(x, y)])


class Worker:
    """A library in a process of its own."""

    def __init__(self, name, python, path, folder):
        command = [python, str(HERE / "manifold_peers.py"), name, str(path)]
        # Peers start elsewhere: the checkout would hide PyPI's package of the same name.
        inside = name == "geojax"
        environment = {k: v for k, v in os.environ.items() if inside or k != "PYTHONPATH"}
        environment["XLA_FLAGS"] = XLA_FLAGS
        if inside:
            environment["PYTHONPATH"] = str(HERE.parent)
        self.name, self.saved = name, Path(folder) / f"{name}.npz"
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env=environment,
        )

    def ask(self, word):
        try:
            print(word, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"{self.name} ended at {word!r}; run its worker by hand to see why.")
        return json.loads(line)

    def answers(self):
        self.ask(f"save {self.saved}")
        self.process.stdin.close()
        self.process.wait()
        with np.load(self.saved) as file:
            return dict(file)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    data, load = arrays(options.quick), os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.npz"
        np.savez(path, **data)
        peers = dict(peer.split("=", 1) for peer in options.peer)
        workers = [
            Worker(name, python, path, folder) for name, python in {"geojax": sys.executable, **peers}.items()
        ]
        report = {}
        for row in ROWS:
            first = {worker.name: worker.ask(row) for worker in workers}
            times = {name: [] for name, value in first.items() if value is not None}
            for _ in range(3 if options.quick else options.repeats):
                for worker in workers:
                    if worker.name in times:
                        times[worker.name].append(worker.ask(row))
            report[row] = {
                name: {"first_ms": first[name], "median_ms": statistics.median(t), "min_ms": min(t)}
                for name, t in times.items()
            }
            print(
                row, {name: round(found["median_ms"], 3) for name, found in report[row].items()}, flush=True
            )
        answers = {worker.name: worker.answers() for worker in workers}
    exact = exact_angles(data["angle x"], data["angle y"])
    for row, found in report.items():
        for name, entry in found.items():
            mine, theirs = answers["geojax"][row], answers[name][row]
            # Subspaces have many frames: their projectors are compared.
            if row == "grassmann exp":
                mine, theirs = (q @ q.transpose(0, 2, 1) for q in (mine, theirs))
            entry["largest difference from geojax"] = float(np.max(np.abs(mine - theirs)))
            if row == "sphere dist":
                entry["largest relative error"] = float(np.max(np.abs(theirs / exact - 1)))
    accuracy = {n: e["largest relative error"] for n, e in report["sphere dist"].items()}
    print("relative error of dist at angles 1e-1 .. 1e-8", accuracy)
    if options.quick:
        return
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load before": load,
        "load after": os.getloadavg(),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "dtype": "float64", "XLA_FLAGS": XLA_FLAGS, "rows": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
