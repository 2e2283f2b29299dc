"""The pillars' calls at the sizes of an accelerator, beside ott, optax and plain jnp on the same device.

    python benchmarks/bench_device.py [--quick]

Writes benchmarks/results/device.json with the device's name. Where JAX has no accelerator it says so and does no more;
--quick runs small sizes on whatever there is and writes nothing. float32 with products of matrices in full precision;
calls take turns, the first apart. What the device reaches in a large product and in copying memory stands beside them.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from optax.assignment import hungarian_algorithm
from ott.geometry import geometry
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn as ott_sinkhorn
from ott.tools import sliced as ott_sliced
from record import save
from timing import interleaved

from geojax.manifolds import SPDAffineInvariant, Stiefel
from geojax.transport import assignment, random_directions, sinkhorn, sliced_wasserstein

REPEATS = 9


def clouds(*shape):
    rng = np.random.default_rng(0)
    return (jnp.asarray(rng.normal(size=shape), jnp.float32) for _ in range(2))


def entropic(batch, n):
    """Costs of a whole batch of problems, L1 marginal error 1e-4, epsilon a twentieth of the mean cost."""
    x, y = clouds(batch, n, 3)
    cost = jnp.sum((x[:, :, None] - y[:, None]) ** 2, -1)
    w, epsilon = jnp.full(n, 1 / n, jnp.float32), 0.05 * jnp.mean(cost)

    def ours(cost):
        return sinkhorn(cost, w, w, epsilon=epsilon, tol=1e-4).cost

    def theirs(cost):
        problem = linear_problem.LinearProblem(geometry.Geometry(cost, epsilon=epsilon), w, w)
        return ott_sinkhorn.Sinkhorn(threshold=1e-4, max_iterations=2000)(problem).reg_ot_cost

    return {name: (jax.vmap(f), (cost,)) for name, f in (("geojax", ours), ("ott", theirs))}


def sliced(n, k):
    """The squared distance and its gradients."""
    x, y = clouds(n, 3)
    theta = random_directions(jax.random.key(0), (k, 3)).astype(jnp.float32)

    def sorting(x, y):
        return jnp.mean((jnp.sort(theta @ x.T, axis=1) - jnp.sort(theta @ y.T, axis=1)) ** 2)

    forms = {
        "geojax": lambda x, y: sliced_wasserstein(x, y, projections=theta).value,
        "ott": lambda x, y: ott_sliced.sliced_wasserstein(x, y, proj_fn=lambda z: z @ theta.T)[0],
        "jnp.sort": sorting,
    }
    return {name: (jax.value_and_grad(form, (0, 1)), (x, y)) for name, form in forms.items()}


def definite_log(batch, d):
    """The affine-invariant log, beside the formula with three eigendecompositions."""
    a, b = clouds(batch, d, 2 * d)
    x, y = (z @ z.mT / (2 * d) for z in (a, b))

    def function(f, s):
        values, vectors = jnp.linalg.eigh(s)
        return (vectors * f(values)) @ vectors.T

    def formula(x, y):
        root, inverse = function(jnp.sqrt, x), function(jax.lax.rsqrt, x)
        return root @ function(jnp.log, inverse @ y @ inverse) @ root

    return {
        name: (jax.vmap(f), (x, y)) for name, f in (("geojax", SPDAffineInvariant().log), ("jnp", formula))
    }


def retraction(batch, n, k):
    """The polar retraction, beside singular vectors."""
    a, u = clouds(batch, n, k)
    x = jnp.linalg.qr(a)[0]
    u = 0.1 * jax.vmap(Stiefel().to_tangent)(x, u)

    def singular(x, u):
        left, _, right = jnp.linalg.svd(x + u, full_matrices=False)
        return left @ right

    return {name: (jax.vmap(f), (x, u)) for name, f in (("geojax", Stiefel().retract), ("jnp svd", singular))}


def matching(batch, n):
    """Costs of exact assignments."""
    cost = jnp.asarray(np.random.default_rng(0).normal(size=(batch, n, n)), jnp.float32)

    def ours(cost):
        return jnp.sum(jnp.take_along_axis(cost, assignment(cost)[:, None], 1))

    def theirs(cost):
        rows, columns = hungarian_algorithm(cost)
        return jnp.sum(cost[rows, columns])

    return {name: (jax.vmap(f), (cost,)) for name, f in (("geojax", ours), ("optax", theirs))}


# What, its maker, and its sizes at full and at quick.
ROWS = (
    ("entropic transport", entropic, (1, 8192), (1, 16)),
    ("entropic transport, a batch", entropic, (512, 256), (2, 16)),
    ("sliced Wasserstein, value and gradient", sliced, (65536, 256), (32, 4)),
    ("spd log", definite_log, (16384, 16), (2, 3)),
    ("stiefel polar retraction", retraction, (4096, 128, 8), (2, 6, 2)),
    ("assignment", matching, (64, 256), (2, 6)),
)


def compare(what, make, sizes):
    calls = make(*sizes)
    compiled = {name: (jax.jit(form), inputs) for name, (form, inputs) in calls.items()}
    timing, last = interleaved(
        {name: lambda form=form, inputs=inputs: form(*inputs) for name, (form, inputs) in compiled.items()},
        REPEATS,
    )
    for name, found in last.items():
        leaves = zip(jax.tree.leaves(found), jax.tree.leaves(last["geojax"]))
        worst = max(float(jnp.max(jnp.abs(x - y)) / jnp.max(jnp.abs(y))) for x, y in leaves)
        timing[name]["largest relative difference from geojax"] = worst
        assert worst < 2e-2, (what, name, worst)
    size = " x ".join(map(str, sizes))
    print(what, size, {name: round(found["median_ms"], 3) for name, found in timing.items()}, flush=True)
    return {"what": what, "size": size, "time": timing}


def rates(n):
    """Operations and bytes a second: a product of n x n matrices, and a copy of one."""
    a = jnp.ones((n, n), jnp.float32)
    product, copy = jax.jit(jnp.matmul), jax.jit(lambda x: x + 1)
    timing, _ = interleaved({"product": lambda: product(a, a), "copy": lambda: copy(a)}, REPEATS)
    return {
        "operations per second": 2e3 * n**3 / timing["product"]["min_ms"],
        "bytes per second": 8e3 * n**2 / timing["copy"]["min_ms"],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes on any device, nothing written")
    quick = parser.parse_args().quick
    device = jax.devices()[0]
    if device.platform == "cpu" and not quick:
        print("JAX finds no accelerator here: nothing measured.")
        return
    jax.config.update("jax_default_matmul_precision", "highest")
    limits = rates(64 if quick else 8192)
    rows = [compare(what, make, small if quick else full) for what, make, full, small in ROWS]
    if not quick:
        save("device", {"limits": limits, "rows": rows}, device=device.device_kind)


if __name__ == "__main__":
    main()
