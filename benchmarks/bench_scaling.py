"""Time and memory of each pillar's main calls against the size, with what the machine could do at best.

    python benchmarks/bench_scaling.py [--quick] [--draw]

Each point runs in a process of its own (scaling_points.py), one after another. The limit at a size is the longer of two
times: its unavoidable operations at the rate of a large matrix product, and its unavoidable passes over memory at the
rate of copying or reading arrays of that size, both measured in the same run; for `infer`, the time JAX takes to trace
the program. Writes benchmarks/results/scaling.json and docs/images/scaling-*.png; --draw draws again what is written.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
from record import RESULTS, save

matplotlib.use("agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "images"
COLOURS = ("#d55e00", "#e69f00")
GREY = "#8a8a8a"
# Picture: {curve: (sizes, what the size is, what the limit is)}; --quick measures the first size of each.
PILLARS = {
    "transport": {
        "sinkhorn": (
            (128, 256, 512, 1024, 2048, 4096),
            "points in each measure",
            "passes over the matrix",
        ),
        "sliced_wasserstein": (
            (256, 1024, 4096, 16384, 65536),
            "points in each cloud, 64 directions",
            "two passes",
        ),
    },
    "manifolds": {
        "SPD log": ((16, 64, 256, 1024, 4096), "pairs of 16 x 16 matrices", "operations"),
        "Grassmann log": ((16, 64, 256, 1024, 4096), "pairs of 64 x 8 frames", "operations"),
    },
    "symmetry": {
        "weight_matching": (
            (64, 128, 256, 512, 1024),
            "width of three hidden layers",
            "one sweep's products",
        ),
        "infer": ((1, 2, 4, 8, 16, 32), "transformer blocks", None),
    },
}


def elsewhere(*arguments):
    """What scaling_points.py prints, run in a process of its own."""
    command = [sys.executable, str(HERE / "scaling_points.py"), *map(str, arguments)]
    return json.loads(subprocess.check_output(command, text=True))


def limit(point, rates):
    """The least time for the point's operations and passes over memory, and which of them it is."""
    measured = {int(size): rate for size, rate in rates["bytes per second"].items()}
    # A set between two measured sizes may fit the caches of the lower one: the faster rate is the limit.
    fitting = [size for size in measured if size <= point["bytes of a pass"]]
    rate = measured[max(fitting)] if fitting else max(measured.values())
    times = {
        "arithmetic": point["operations"] / rates["operations per second"][point["dtype"]],
        "memory": point["passes"] * point["bytes of a pass"] / rate,
    }
    bound = max(times, key=times.get)
    return {"limit_ms": 1e3 * times[bound], "bound": bound}


def measure(quick):
    """The limits of the machine and {curve: points}."""
    rates, curves = elsewhere("limits"), {}
    for curve, (sizes, *_) in (item for pillar in PILLARS.values() for item in pillar.items()):
        curves[curve] = []
        for n in sizes[:1] if quick else sizes:
            point = {"n": n, **elsewhere(curve, n, 3 if quick else 9)}
            point |= {} if "limit_ms" in point else limit(point, rates)
            curves[curve].append(point)
            print(curve, n, {k: round(v, 3) for k, v in point.items() if k.endswith("ms")}, flush=True)
    return rates, curves


def draw(pillar, curves, folder):
    """Time and memory of the pillar's calls, a row for each."""
    figure, panels = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    for (curve, (_, what, least)), (left, right), colour in zip(PILLARS[pillar].items(), panels, COLOURS):
        points = curves[curve]
        n = [point["n"] for point in points]
        at_best = f"limit: {least}" if least else "tracing by JAX alone"
        left.plot(n, [point["limit_ms"] for point in points], "--", color=GREY, label=at_best)
        left.plot(n, [point["median_ms"] for point in points], "o-", color=colour, label=curve)
        left.set_ylabel("milliseconds")
        if all(point["peak_bytes"] is not None for point in points):
            if "in_and_out_bytes" in points[0]:
                held = [point["in_and_out_bytes"] / 1e6 for point in points]
                right.plot(n, held, "--", color=GREY, label="inputs and outputs")
            peak = [max(point["peak_bytes"], 4096) / 1e6 for point in points]
            right.plot(n, peak, "o-", color=colour, label=curve)
        right.set_ylabel("megabytes at the peak")
        for panel in (left, right):
            panel.set(xscale="log", yscale="log", xlabel=what)
            panel.set_xticks(n, [str(size) for size in n], minor=False)
            panel.set_xticks([], minor=True)
            panel.yaxis.set_major_formatter("{x:g}")
            low, high = panel.get_ylim()
            panel.yaxis.set_minor_formatter("{x:g}" if high < 20 * low else "")
            panel.grid(alpha=0.3)
            panel.legend(frameon=False, loc="upper left")
            panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(folder) / f"scaling-{pillar}.png", dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one size a curve, and nothing written")
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw the pictures again")
    options = parser.parse_args()
    if options.draw:
        curves = json.loads((RESULTS / "scaling.json").read_text())["curves"]
    else:
        rates, curves = measure(options.quick)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            draw("transport", curves, folder)
        return
    if not options.draw:
        save("scaling", {"limits": rates, "curves": curves})
    for pillar in PILLARS:
        draw(pillar, curves, IMAGES)


if __name__ == "__main__":
    main()
