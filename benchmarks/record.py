"""What a results file says of where it was measured, and how it is written.

Every library gets as many threads as this process may use processors: in this process they count so by themselves, in
the environments of peers they are told. `taskset -c 0 python benchmarks/bench_...` pins all of them to one.
"""

import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
THREAD_VARIABLES = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(THREADS))
LOAD_BEFORE = os.getloadavg()
LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "optax", "ott-jax", "POT")


def processor():
    """The name that the processor gives itself."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine():
    """The processor, the threads that each library may use, and the load before and after."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": THREADS,
        "load before": LOAD_BEFORE,
        "load after": os.getloadavg(),
    }


def versions():
    """The versions of the libraries in this environment."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def save(name, report, peers=None, device=None):
    """Write results/NAME.json whole or not at all; `peers` are versions in environments other than this one.

    `device` names an accelerator that the report is about.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    partial = path.with_suffix(".partial")
    where = machine() | ({"device": device} if device else {})
    head = {"machine": where, "versions": versions() | (peers or {})}
    partial.write_text(json.dumps(head | report, indent=1, default=float) + "\n")
    os.replace(partial, path)
    print(f"wrote {path}", file=sys.stderr)
