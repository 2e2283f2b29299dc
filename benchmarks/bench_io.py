"""Merging two files of weights tensor by tensor, beside a plain numpy loop that copies, adds and writes.

    python benchmarks/bench_io.py [--megabytes 1000] [--repeats 7] [--quick]

Makes two safetensors files in a temporary folder, with the tensors of a transformer. Each run is a process of its own,
and the two take turns. Time is that of the merge alone, without imports, with the output on the disk (fsync) for both;
the files are in the page cache for both. Memory is the peak of the process's anonymous memory (RssAnon: the page cache
is not counted) above what it had once everything was imported. The streamed average compiles its programs within the
time that is measured. Writes benchmarks/results/io.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from record import save

PIECE = 1 << 21


def anonymous_bytes():
    """Anonymous resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("no RssAnon in /proc/self/status")


class Peak:
    """The peak of anonymous memory while a with statement runs, sampled each millisecond."""

    def __enter__(self):
        self.base = self.high = anonymous_bytes()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.over.wait(1e-3):
            self.high = max(self.high, anonymous_bytes())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def make(folder, megabytes):
    """Two files with the tensors of a transformer: an embedding, and layers of four sizes of matrix."""
    from geojax.io import SafetensorsWriter

    width = 1024 if megabytes >= 200 else 64
    layer = {"q": (width, width), "up": (4 * width, width), "down": (width, 4 * width), "norm": (width,)}
    each = 4 * sum(int(np.prod(shape)) for shape in layer.values())
    embedding = (max(1, int(0.15e6 * megabytes) // (4 * width)), width)
    count = max(1, round((1e6 * megabytes - 4 * embedding[0] * width) / each))
    shapes = {"embedding": np.broadcast_to(np.float32(0), embedding)}
    for number in range(count):
        for name, shape in layer.items():
            shapes[f"layers.{number}.{name}"] = np.broadcast_to(np.float32(0), shape)
    paths = []
    for seed, name in enumerate("ab"):
        rng = np.random.default_rng(seed)
        paths.append(os.path.join(folder, f"{name}.safetensors"))
        with SafetensorsWriter(paths[-1], shapes) as writer:
            for tensor in writer.names:
                writer.write(tensor, rng.standard_normal(shapes[tensor].shape, np.float32))
    return paths, len(shapes)


def plain(a, b, out):
    """Reads pieces of both files, adds them and writes the sum: the same bytes and as many operations."""
    with open(a, "rb") as one, open(b, "rb") as two, open(out, "wb") as three:
        while True:
            x, y = np.fromfile(one, np.uint8, 4 * PIECE), np.fromfile(two, np.uint8, 4 * PIECE)
            if not len(x):
                break
            even = len(x) // 4 * 4
            np.add(x[:even].view(np.float32), y[:even].view(np.float32)).tofile(three)
            x[even:].tofile(three)
        three.flush()
        os.fsync(three.fileno())


def streamed(a, b, out):
    from geojax.io import stream_merge
    from geojax.merging import interpolate

    stream_merge(lambda x, y: interpolate(x, y, 0.5), [a, b], out, elementwise=True)


def measure(method, a, b, out):
    """One run in this process, which holds what the method needs but nothing that it compiles."""
    import jax

    import geojax.io
    import geojax.merging

    jax.numpy.zeros(1).block_until_ready()
    assert callable(geojax.io.stream_merge)
    assert callable(geojax.merging.interpolate)
    with Peak() as peak:
        start = time.perf_counter()
        {"numpy copy and add": plain, "geojax stream_merge": streamed}[method](a, b, out)
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_bytes": peak.high - peak.base, "base_bytes": peak.base}))


def check(a, b, out):
    """The largest difference of the file from the means of the two."""
    from geojax.io import open_safetensors

    worst = 0.0
    with open_safetensors(a) as x, open_safetensors(b) as y, open_safetensors(out) as z:
        for name in z:
            worst = max(worst, float(np.max(np.abs(z[name] - (x[name] + y[name]) / 2))))
            for file in (x, y, z):
                file.release(name)
    return worst


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="tiny files, two repeats, nothing written")
    parser.add_argument("--here", nargs=4, help="measure in this process: method, two files, output")
    arguments = parser.parse_args()
    if arguments.here:
        return measure(*arguments.here)
    if arguments.quick:
        arguments.megabytes, arguments.repeats = 4, 2
    methods = ["numpy copy and add", "geojax stream_merge"]
    runs = {method: [] for method in methods}
    with tempfile.TemporaryDirectory() as folder:
        (a, b), count = make(folder, arguments.megabytes)
        out = os.path.join(folder, "out.safetensors")
        for _ in range(arguments.repeats):
            for method in methods:
                if os.path.exists(out):
                    os.unlink(out)
                command = [sys.executable, __file__, "--here", method, a, b, out]
                runs[method].append(json.loads(subprocess.check_output(command, text=True)))
        size, error = os.path.getsize(a), check(a, b, out)
    rows = {
        method: {
            "seconds_min": min(run["seconds"] for run in found),
            "seconds_median": statistics.median(run["seconds"] for run in found),
            "peak_megabytes": max(run["peak_bytes"] for run in found) / 1e6,
            "base_megabytes": max(run["base_bytes"] for run in found) / 1e6,
        }
        for method, found in runs.items()
    }
    ratios = [
        ours["seconds"] / theirs["seconds"] for theirs, ours in zip(*(runs[method] for method in methods))
    ]
    report = {
        "bytes_of_each_file": size,
        "tensors": count,
        "repeats": arguments.repeats,
        "largest_error": error,
        "rows": rows,
        "ratio_of_minima": rows[methods[1]]["seconds_min"] / rows[methods[0]]["seconds_min"],
        "median_of_ratios": statistics.median(ratios),
    }
    print(json.dumps(report, indent=1))
    assert error == 0.0
    if not arguments.quick:
        save("io", report)
    return None


if __name__ == "__main__":
    sys.exit(main())
