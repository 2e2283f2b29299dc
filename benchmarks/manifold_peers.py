"""The work of bench_manifolds in one library: run by the Python of that library, driven over its standard input.

    python manifold_peers.py LIBRARY ARRAYS.npz

Reads a row's name a line, does it once and answers with a line of JSON: milliseconds, null where the library lacks it;
`save PATH` writes the last answers. LIBRARY is geojax, geomstats, geojax_pypi or geoopt.
"""

import sys
import time

import numpy as np
from workers import serve


def ours(data):
    import jax
    import jax.numpy as jnp

    from geojax.manifolds import Grassmann, SPDAffineInvariant, Sphere, Stiefel, frechet_mean

    jax.config.update("jax_enable_x64", True)
    d = {name: jnp.asarray(value) for name, value in data.items()}
    spd, grassmann, sphere = SPDAffineInvariant(), Grassmann(), Sphere()

    def each(function):
        return jax.jit(jax.vmap(function))

    def wait(function, *names):
        return lambda: np.asarray(jax.block_until_ready(function(*(d[name] for name in names))))

    return {
        "spd exp": wait(each(spd.exp), "spd x", "spd u"),
        "spd log": wait(each(spd.log), "spd x", "spd y"),
        "spd dist": wait(each(spd.dist), "spd x", "spd y"),
        "spd gradient of dist": wait(each(jax.grad(spd.dist)), "spd x", "spd y"),
        "grassmann exp": wait(each(grassmann.exp), "grassmann x", "grassmann u"),
        "grassmann log": wait(each(grassmann.log), "grassmann x", "grassmann y"),
        "stiefel polar retraction": wait(each(Stiefel().retract), "grassmann x", "grassmann u"),
        "stiefel qr": wait(each(lambda x, u: jnp.linalg.qr(x + u)[0]), "grassmann x", "grassmann u"),
        "sphere mean": wait(lambda p: frechet_mean(sphere, p, tol=1e-8).point, "sphere points"),
        "spd mean": wait(lambda p: frechet_mean(spd, p, tol=1e-8).point, "spd points"),
        "sphere dist": wait(each(sphere.dist), "angle x", "angle y"),
    }


def geojax_pypi(data):
    import jax
    import jax.numpy as jnp

    from geojax.geometry import Grassmann, SPDAffineInvariant, Sphere
    from geojax.optimization import Minimize, SteepestDescent

    jax.config.update("jax_enable_x64", True)
    d = {name: jnp.asarray(value) for name, value in data.items()}
    spd, sphere = SPDAffineInvariant(d["spd x"].shape[1:]), Sphere(d["sphere points"].shape[-1])
    grassmann = Grassmann(d["grassmann x"].shape[1:])

    def each(function):
        return jax.jit(jax.vmap(function))

    def wait(function, *names):
        return lambda: np.asarray(jax.block_until_ready(function(*(d[name] for name in names))))

    def mean(space, points):
        def cost(x):
            return jnp.mean(jax.vmap(lambda y: space.dist(x, y) ** 2)(points)) / 2

        solver = SteepestDescent(maxiter=200, tolgradnorm=1e-8, minstepsize=1e-14, verbosity=0)
        start = jnp.mean(points, axis=0)
        start = start / jnp.linalg.norm(start) if points.ndim == 2 else start
        return Minimize(M=space, cost=cost, solver=solver, x0=start).solve()[0]

    return {
        "spd exp": wait(each(spd.exp), "spd x", "spd u"),
        "spd log": wait(each(spd.log), "spd x", "spd y"),
        "spd dist": wait(each(spd.dist), "spd x", "spd y"),
        "spd gradient of dist": wait(each(jax.grad(spd.dist)), "spd x", "spd y"),
        "grassmann exp": wait(each(grassmann.exp), "grassmann x", "grassmann u"),
        "grassmann log": wait(each(grassmann.log), "grassmann x", "grassmann y"),
        "sphere mean": wait(lambda p: mean(sphere, p), "sphere points"),
        "spd mean": wait(lambda p: mean(spd, p), "spd points"),
        "sphere dist": wait(each(Sphere(d["angle x"].shape[1]).dist), "angle x", "angle y"),
    }


def geomstats(d):
    from geomstats.geometry.hypersphere import Hypersphere
    from geomstats.geometry.spd_matrices import SPDMatrices
    from geomstats.learning.frechet_mean import AdaptiveGradientDescent, FrechetMean

    spd = SPDMatrices(d["spd x"].shape[-1]).metric

    def mean(space, points):
        estimator = FrechetMean(space)
        estimator.optimizer = AdaptiveGradientDescent(max_iter=200, epsilon=1e-8)
        return estimator.fit(points).estimate_

    return {
        "spd exp": lambda: spd.exp(d["spd u"], d["spd x"]),
        "spd log": lambda: spd.log(d["spd y"], d["spd x"]),
        "spd dist": lambda: spd.dist(d["spd x"], d["spd y"]),
        "sphere mean": lambda: mean(Hypersphere(d["sphere points"].shape[1] - 1), d["sphere points"]),
        "spd mean": lambda: mean(SPDMatrices(d["spd x"].shape[-1]), d["spd points"]),
        "sphere dist": lambda: Hypersphere(d["angle x"].shape[1] - 1).metric.dist(d["angle x"], d["angle y"]),
    }


def geoopt(data):
    import geoopt
    import torch

    d = {name: torch.as_tensor(value) for name, value in data.items()}
    spd = geoopt.manifolds.SymmetricPositiveDefinite()

    def gradient():
        x = d["spd x"].clone().requires_grad_(True)
        return torch.autograd.grad(spd.dist(x, d["spd y"]).sum(), x)[0].numpy()

    return {
        "spd exp": lambda: spd.expmap(d["spd x"], d["spd u"]).numpy(),
        "spd log": lambda: spd.logmap(d["spd x"], d["spd y"]).numpy(),
        "spd dist": lambda: spd.dist(d["spd x"], d["spd y"]).numpy(),
        "spd gradient of dist": gradient,
        "sphere dist": lambda: geoopt.manifolds.Sphere().dist(d["angle x"], d["angle y"]).numpy(),
    }


LIBRARIES = {"geojax": ours, "geojax_pypi": geojax_pypi, "geomstats": geomstats, "geoopt": geoopt}
VERSIONS = {
    "geojax": (),
    "geojax_pypi": ("geojax", "jax"),
    "geomstats": ("geomstats", "numpy"),
    "geoopt": ("geoopt", "torch"),
}


def main():
    library, path = sys.argv[1:]
    with np.load(path) as file:
        rows, last = LIBRARIES[library](dict(file)), {}

    def answer(word):
        if word.startswith("save "):
            np.savez(word.removeprefix("save "), **last)
            return True
        if word not in rows:
            return None
        start = time.perf_counter()
        last[word] = rows[word]()
        return 1e3 * (time.perf_counter() - start)

    serve(answer, *VERSIONS[library])


if __name__ == "__main__":
    main()
