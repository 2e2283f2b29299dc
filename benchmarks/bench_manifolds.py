"""Operations, retractions and Fréchet means beside the peers, each in a process of its own, taking turns.

    python benchmarks/bench_manifolds.py [--quick] [--peer geomstats=/path/python] [--peer geoopt=...] [--repeats 11]

Peers are geomstats, geoopt and geojax_pypi (PyPI's geojax, which has our import name: its Python must not see this
checkout); those not given are left out. Float64. Writes benchmarks/results/manifolds.json: first call, median, minimum
of the others in milliseconds, how far each answer is from ours, the error of dist at small angles against 50 digits.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

import mpmath
import numpy as np
from record import save
from timing import summary
from workers import Worker

# Without it PyPI's geojax hangs within minutes on two cores: several batched decompositions that XLA runs at once wait
# for each other's threads. Both JAX libraries get it.
XLA_FLAGS = "--xla_cpu_enable_concurrency_optimized_scheduler=false"
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
# What `arrays` makes, by the space and by whether it is a mean of points.
SIZES = {
    ("spd", False): "1024 of 16 x 16",
    ("spd", True): "256 of 16 x 16",
    ("grassmann", False): "256 of 128 x 8",
    ("stiefel", False): "256 of 128 x 8",
    ("sphere", True): "256 of 64",
    ("sphere", False): "8 of 3",
}


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    data, repeats = arrays(options.quick), 2 if options.quick else options.repeats
    interpreters = {"geojax": sys.executable, **dict(peer.split("=", 1) for peer in options.peer)}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "arrays.npz"
        np.savez(path, **data)
        workers = [
            stack.enter_context(
                Worker(
                    name,
                    python,
                    "manifold_peers.py",
                    name,
                    path,
                    folder=folder,
                    inside=name == "geojax",
                    XLA_FLAGS=XLA_FLAGS,
                )
            )
            for name, python in interpreters.items()
        ]
        report, answers, versions = {}, {}, {}
        for row in ROWS:
            first = {worker.name: worker.ask(row) for worker in workers}
            times = {name: [] for name, value in first.items() if value is not None}
            for _ in range(repeats):
                for worker in workers:
                    if worker.name in times:
                        times[worker.name].append(worker.ask(row))
            report[row] = {name: summary(first[name], t) for name, t in times.items()}
            print(
                row, {name: round(found["median_ms"], 3) for name, found in report[row].items()}, flush=True
            )
        for worker in workers:
            versions |= worker.ask("versions")
            saved = Path(folder) / f"{worker.name}.npz"
            worker.ask(f"save {saved}")
            with np.load(saved) as file:
                answers[worker.name] = dict(file)
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
            assert row == "sphere dist" or np.allclose(mine, theirs, rtol=1e-5, atol=1e-7), (row, name, entry)
    accuracy = {n: e["largest relative error"] for n, e in report["sphere dist"].items()}
    print("relative error of dist at angles 1e-1 .. 1e-8", accuracy)
    assert accuracy["geojax"] < 1e-12
    if not options.quick:
        sizes = {row: SIZES[row.split()[0], row.endswith("mean")] + ", float64" for row in ROWS}
        head = {"dtype": "float64", "XLA_FLAGS": XLA_FLAGS, "sizes": sizes}
        save("manifolds", head | {"rows": report}, versions)


if __name__ == "__main__":
    main()
