"""The work of bench_riemannian in one peer: run by the Python of that library, driven over its standard input.

    python riemannian_peers.py LIBRARY PROBLEMS.npz

Answers "methods" with their names, and "METHOD K" with the milliseconds that it took on problem K and the relative gap.
LIBRARY is pymanopt or geojax_pypi, PyPI's geojax.
"""

import sys
import time

import numpy as np
from workers import serve

TOL = 1e-5  # norm of the Riemannian gradient; gaps are then below 1e-8


def gap(matrix, frame):
    """Relative gap of half the trace of the matrix on the span of the frame."""
    frame = np.linalg.qr(np.asarray(frame, np.float64))[0]
    best = np.sum(np.linalg.eigvalsh(matrix)[-frame.shape[1] :])
    return float((best - np.trace(frame.T @ matrix @ frame)) / best)


def pymanopt_solvers(shape):
    """Trust region, conjugate gradient and steepest descent, with gradient and Hessian by hand."""
    import pymanopt  # type: ignore[import-not-found]  # pyright: ignore
    from pymanopt import optimizers  # pyright: ignore

    manifold = pymanopt.manifolds.Grassmann(*shape)

    def solver(kind):
        def solve(matrix, start):
            @pymanopt.function.numpy(manifold)
            def cost(x):
                return -np.vdot(x, matrix @ x) / 2

            @pymanopt.function.numpy(manifold)
            def gradient(x):
                return -(matrix @ x)

            @pymanopt.function.numpy(manifold)
            def hessian(x, u):
                return -(matrix @ u)

            problem = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient, euclidean_hessian=hessian)
            optimiser = kind(verbosity=0, min_gradient_norm=TOL, max_iterations=3000)
            return optimiser.run(problem, initial_point=start).point

        return solve

    kinds = (optimizers.TrustRegions, optimizers.ConjugateGradient, optimizers.SteepestDescent)
    return {kind.__name__: solver(kind) for kind in kinds}


def pypi_geojax_solvers(shape):
    """Trust region, Barzilai-Borwein and conjugate gradient of the other geojax, with gradient and Hessian by hand."""
    import jax
    import jax.numpy as jnp

    import geojax as peer

    jax.config.update("jax_enable_x64", True)
    manifold = peer.Grassmann(size=shape)  # type: ignore[attr-defined]
    product = jax.jit(jnp.matmul)

    def solver(kind):
        def solve(matrix, start):
            a = jnp.asarray(matrix)
            problem = peer.Minimize(  # type: ignore[attr-defined]
                M=manifold,
                cost=lambda x: -jnp.vdot(x, product(a, x)) / 2,
                egrad=lambda x: -product(a, x),
                ehess_vec=lambda x, u: -product(a, u),
                x0=jnp.asarray(start),
                solver=kind(verbosity=0, tolgradnorm=TOL, maxiter=3000),
            )
            return np.asarray(problem.solve()[0])

        return solve

    kinds = (peer.TrustRegions, peer.BarzilaiBorwein, peer.ConjugateGradient)  # type: ignore[attr-defined]
    return {kind.__name__: solver(kind) for kind in kinds}


LIBRARIES = {
    "pymanopt": (pymanopt_solvers, ("pymanopt", "numpy")),
    "geojax_pypi": (pypi_geojax_solvers, ("geojax", "jax")),
}


def main():
    library, path = sys.argv[1:]
    make, versions = LIBRARIES[library]
    with np.load(path) as file:
        matrices, starts = file["matrices"], file["starts"]
    solvers = make(starts.shape[1:])

    def answer(word):
        if word == "methods":
            return list(solvers)
        name, k = word.rsplit(" ", 1)
        begin = time.perf_counter()
        frame = solvers[name](matrices[int(k)], starts[int(k)])
        return 1e3 * (time.perf_counter() - begin), gap(matrices[int(k)], frame)

    serve(answer, *versions)


if __name__ == "__main__":
    main()
