"""Peak memory and time of entropic transport between two large point clouds, and of its gradient.

    python benchmarks/memory_transport.py [--size 30000] [--steps 5]

Runs one program in a process of its own and reports the peak of its resident memory, the interpreter and JAX included.
Exits with 1 where the peak passes two gigabytes. The n x m cost matrix alone would be 3.6 GB.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

LIMIT = 2 << 30


def measure(size, steps):
    import jax
    import jax.numpy as jnp

    from geojax.transport import point_cloud_sinkhorn

    keys = jax.random.split(jax.random.key(0), 2)
    x, y = (jax.random.normal(k, (size, 3), jnp.float32) for k in keys)

    @jax.jit
    def solve(x, y):
        def value(x):
            result = point_cloud_sinkhorn(x, y, epsilon=0.3, max_steps=steps)
            return result.cost, (result.error, result.num_steps)

        return jax.value_and_grad(value, has_aux=True)(x)

    start = time.perf_counter()
    compiled = solve.lower(x, y).compile()
    compile_time = time.perf_counter() - start
    start = time.perf_counter()
    (cost, (error, num_steps)), gradient = jax.block_until_ready(compiled(x, y))
    report = {
        "points": size,
        "steps": int(num_steps),
        "cost": float(cost),
        "error": float(error),
        "gradient": float(jnp.linalg.norm(gradient)),
        "compile_s": compile_time,
        "run_s": time.perf_counter() - start,
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(report))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=30000)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--here", action="store_true", help="measure this process instead of a new one")
    arguments = parser.parse_args()
    if arguments.here:
        return measure(arguments.size, arguments.steps)
    command = [sys.executable, __file__, "--here", f"--size={arguments.size}", f"--steps={arguments.steps}"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(json.dumps(report, indent=1))
    return int(report["peak_bytes"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
