"""The work of bench_gaunt in e3nn-jax: run by the Python of that library, driven over its standard input.

    python gaunt_peers.py PROBLEMS.npz

Answers "DEGREE" with the milliseconds of one batch of products, and the largest difference from the expected ones. e3nn
multiplies by Clebsch-Gordan coefficients, path by path; the product of two functions is a weighted sum of the paths of
each degree, and the weights are those that fit the expected products best. Its harmonics are another basis of the same
functions, found by least squares at given points.
"""

import sys
import time

import e3nn_jax as e3nn  # type: ignore[import-not-found]  # pyright: ignore
import jax
import numpy as np
from workers import serve


def product(degree):
    """The product of two functions up to the degree as a weighted sum of its paths, and the paths."""
    harmonics = e3nn.Irreps.spherical_harmonics(degree)
    kept = [e3nn.Irrep(l, (-1) ** l) for l in range(degree + 1)]

    def parts(a, b):
        a, b = (e3nn.IrrepsArray(harmonics, x) for x in (a, b))
        return e3nn.tensor_product(a, b, filter_ir_out=kept).chunks

    def call(weights, a, b):
        mixed = [
            jax.numpy.einsum("bmi,m->bi", chunk, w) for chunk, w in zip(parts(a, b), weights, strict=True)
        ]
        return jax.numpy.concatenate(mixed, axis=1)

    return jax.jit(call), parts


def prepared(file, degree):
    """A call without arguments, and what it should return."""
    points, ours, a, b, wanted = (
        file[f"{name}{degree}"] for name in ("points", "harmonics", "a", "b", "out")
    )
    theirs = np.asarray(
        e3nn.spherical_harmonics(
            e3nn.Irreps.spherical_harmonics(degree), points, normalize=True, normalization="integral"
        ).array
    )
    basis = np.linalg.lstsq(theirs, ours, rcond=None)[0].T  # ours = theirs @ basis.T
    a, b, wanted = (np.asarray(x @ basis, np.float32) for x in (a, b, wanted))
    call, parts = product(degree)
    weights, start = [], 0
    for chunk in parts(a, b):
        size = chunk.shape[-1]
        rows = np.asarray(chunk, np.float64).transpose(0, 2, 1).reshape(-1, chunk.shape[1])
        target = wanted[:, start : start + size].reshape(-1)
        weights.append(np.asarray(np.linalg.lstsq(rows, target, rcond=None)[0], np.float32))
        start += size
    return lambda: call(weights, a, b), wanted


def main():
    with np.load(sys.argv[1]) as file:
        arrays = dict(file)
    calls = {}

    def answer(word):
        degree = int(word)
        if degree not in calls:
            calls[degree] = prepared(arrays, degree)
        call, wanted = calls[degree]
        begin = time.perf_counter()
        found = jax.block_until_ready(call())
        spent = 1e3 * (time.perf_counter() - begin)
        return spent, float(np.max(np.abs(np.asarray(found) - wanted)) / np.max(np.abs(wanted)))

    serve(answer, "e3nn-jax", "jax")


if __name__ == "__main__":
    main()
