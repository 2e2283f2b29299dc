"""Gradient of the Bures-Wasserstein distance beside ott, POT and two formulas, calls interleaved.

    python benchmarks/bench_gaussian.py [--quick]

Writes benchmarks/results/gaussian.json. A batch of pairs of covariance matrices under vmap. "double eigh" is
tr A + tr B - 2 sum of sqrt(eigvalsh(A^(1/2) B A^(1/2))), differentiated by JAX; "two square roots" is the same formula
with square roots whose derivatives are right at repeated eigenvalues. Errors are against float64 on the host; where a
gradient is not finite at equal, spherical or rank-one matrices the report says so.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import ot
import scipy.linalg
from ott.geometry import costs
from record import save
from timing import interleaved

from geojax._core.matrices.linalg import sqrtm
from geojax.transport import bures_wasserstein


def double_eigh(a, b):
    values, vectors = jnp.linalg.eigh(a)
    root = (vectors * jnp.sqrt(values)) @ vectors.T
    return jnp.trace(a) + jnp.trace(b) - 2 * jnp.sum(jnp.sqrt(jnp.linalg.eigvalsh(root @ b @ root)))


def two_roots(a, b):
    root = sqrtm(a)
    return jnp.trace(a) + jnp.trace(b) - 2 * jnp.trace(sqrtm(root @ b @ root))


def pot(a, b):
    zero = jnp.zeros(a.shape[:1])
    return ot.gaussian.bures_wasserstein_distance(zero, zero, a, b) ** 2


def ott(a, b):
    zero = jnp.zeros(a.shape[:1])
    return costs.Bures(len(a))(*(jnp.concatenate([zero, s.ravel()]) for s in (a, b)))


FORMS = {
    "geojax": bures_wasserstein,
    "double eigh": double_eigh,
    "two square roots": two_roots,
    "POT": pot,
    "ott": ott,
}


def covariances(batch, d):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2, batch, d, 2 * d))
    return [np.einsum("bij,bkj->bik", f, f) / (2 * d) for f in factors]


def exact_gradient(a, b):
    """I - T with T A T = B, in float64."""
    root = scipy.linalg.sqrtm(a).real
    inverse = np.linalg.inv(root)
    return np.eye(len(a)) - inverse @ scipy.linalg.sqrtm(root @ b @ root).real @ inverse


OTT_LARGEST = (
    16  # its gradient solves systems of d^2 unknowns: at 64 a batch of 32 does not end within a minute
)


def compare(batch, d, repeats):
    a, b = covariances(batch, d)
    x, y = jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32)
    forms = {name: form for name, form in FORMS.items() if name != "ott" or d <= OTT_LARGEST}
    both = {name: jax.jit(jax.vmap(jax.value_and_grad(form, (0, 1)))) for name, form in forms.items()}
    timing, last = interleaved({name: lambda call=call: call(x, y) for name, call in both.items()}, repeats)
    exact = np.stack([exact_gradient(p, q) for p, q in zip(a, b)])
    rows = {
        name: {
            **timing[name],
            "largest error of the gradient": float(np.abs(np.asarray(last[name][1][0], float) - exact).max()),
        }
        for name in forms
    }
    print(batch, d, {name: round(row["median_ms"], 2) for name, row in rows.items()}, flush=True)
    return {"batch": batch, "d": d, "dtype": "float32", "value and gradients": rows}


def degenerate(d):
    """Whether the gradients are finite where the eigenvalues are not distinct or not positive."""
    v, eye = jnp.arange(1.0, d + 1), jnp.eye(d)
    general = jnp.asarray(covariances(1, d)[0][0], jnp.float32)
    places = {"equal": (general, general), "spherical": (eye, 2 * eye), "rank one": (jnp.outer(v, v), eye)}
    return {
        name: {
            place: bool(all(jnp.all(jnp.isfinite(g)) for g in jax.grad(form, (0, 1))(*pair)))
            for place, pair in places.items()
        }
        for name, form in FORMS.items()
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    quick = parser.parse_args().quick
    sizes = [(8, 4, 3)] if quick else [(256, 16, 31), (1024, 3, 31), (32, 64, 15)]
    rows = [compare(*size) for size in sizes]
    finite = degenerate(4 if quick else 16)
    print("finite gradients", finite)
    assert all(finite["geojax"].values()), finite
    if not quick:
        save("gaussian", {"speed": rows, "finite gradients": finite})


if __name__ == "__main__":
    main()
