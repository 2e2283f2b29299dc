"""The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent [Wu2023].

Claim: a minimum at which stochastic gradient descent of rate eta is linearly stable has a Hessian of trace at most
    2 / eta; full gradient descent bounds only the largest eigenvalue.

Differs: nothing of the theorem. The minima are drawn: least squares that are solved exactly, 20 points in 4 dimensions
    with coordinates of random sizes, where the second moment of the iterate evolves by a matrix whose spectral radius
    says what is stable. Batches of one, with replacement. The paper's experiments train networks.
"""

import jax
import jax.numpy as jnp

from examples.papers.harness import Claim, Size, above, below

RATE = 0.05


def design(key):
    """Rows of one least-squares problem."""
    points, sizes = jax.random.split(key)
    return jax.random.normal(points, (20, 4)) * jnp.exp(jax.random.normal(sizes, (4,)))


def growth(rows):
    """Spectral radius of E[(1 - eta x x^T) kron (1 - eta x x^T)], by which the error's second moment grows."""

    def grown(row):
        factor = jnp.eye(len(row)) - RATE * jnp.outer(row, row)
        return jnp.kron(factor, factor)

    return jnp.abs(jnp.linalg.eigvalsh(jnp.mean(jax.vmap(grown)(rows), axis=0))).max()


def run(size: Size) -> list[Claim]:
    """Many designs a seed, and of them those that are stable."""
    num = 2000 if size.full else 200

    def designs(key):
        return jax.vmap(design)(jax.random.split(key, num))

    def spectra(key):
        rows = designs(key)
        hessians = jnp.einsum("kni,knj->kij", rows, rows) / rows.shape[1]
        return jnp.trace(hessians, axis1=1, axis2=2), jnp.linalg.eigvalsh(hessians)[:, -1]

    # A program of its own: two batches of eigenvalues in one can wait for each other's threads for ever on few cores.
    trace, top = size.seeds(spectra)
    stable = size.seeds(lambda key: jax.vmap(growth)(designs(key)) <= 1 + 1e-5)
    largest = jnp.where(stable, trace * RATE / 2, 0).max(1)
    beyond = ((top <= 2 / RATE) & (trace > 2 / RATE)).mean(1)
    return [
        Claim(
            "largest trace * eta / 2 of a design that is stable for SGD",
            "at most 1",
            largest,
            below(1 + 1e-4),
        ),
        Claim(
            "share of designs stable for full descent with a trace above 2 / eta", "above 0", beyond, above(0)
        ),
    ]
