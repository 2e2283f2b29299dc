"""The clock of the benchmarks: what is compared takes turns, and a first call is timed apart."""

import statistics
import time
from typing import Any, NamedTuple

import jax


class Elsewhere(NamedTuple):
    """What a call returns that was timed in the process where it ran."""

    milliseconds: float
    result: Any


def clocked(call):
    """Milliseconds of one call, and its result."""
    start = time.perf_counter()
    result = call()
    if isinstance(result, Elsewhere):
        return result
    jax.block_until_ready(result)
    return 1e3 * (time.perf_counter() - start), result


def summary(first, times):
    """First call apart, median and minimum of the others."""
    return {"first_ms": first, "median_ms": statistics.median(times), "min_ms": min(times)}


def interleaved(calls, repeats):
    """First call apart, then median and minimum in milliseconds of `repeats` rounds over all calls."""
    first, times, last = {}, {name: [] for name in calls}, {}
    for name, call in calls.items():
        first[name], last[name] = clocked(call)
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(clocked(call)[0])
    return {name: summary(first[name], t) for name, t in times.items()}, last
