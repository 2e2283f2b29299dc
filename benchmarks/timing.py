"""The clock of the benchmarks: what is compared takes turns, and a first call is timed apart."""

import statistics
import time

import jax


def interleaved(calls, repeats):
    """First call apart, then median and minimum in milliseconds of `repeats` rounds over all calls."""
    first, times, last = {}, {name: [] for name in calls}, {}
    for name, call in calls.items():
        start = time.perf_counter()
        last[name] = jax.block_until_ready(call())
        first[name] = 1e3 * (time.perf_counter() - start)
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            times[name].append(1e3 * (time.perf_counter() - start))
    timing = {
        name: {"first_ms": first[name], "median_ms": statistics.median(t), "min_ms": min(t)}
        for name, t in times.items()
    }
    return timing, last
