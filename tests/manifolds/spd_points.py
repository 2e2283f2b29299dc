"""Positive definite matrices chosen to be awkward, and oracles with fifty digits, for the spaces of such matrices."""

import jax.numpy as jnp
import mpmath
import numpy as np

N = 3
ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(N, N)))[0]
OTHER = np.linalg.qr(np.random.default_rng(6).normal(size=(N, N)))[0]


def spd(spectrum, dtype=jnp.float64, rotation=ROTATION):
    """The matrix with these eigenvalues and a random eigenbasis, symmetric to the last bit."""
    matrix = (rotation * np.asarray(spectrum)) @ rotation.T
    return np.asarray((matrix + matrix.T) / 2, dtype)


def awkward(dtype, size=0.1):
    """{name: (x, y, u)} with repeated and nearly repeated eigenvalues, alone and together, and extreme scales.

    Tangents are symmetric, of the given size beside the point.
    """
    wide = 1e10 if dtype == jnp.float64 else 1e4
    x, y = spd([0.5, 1.0, 2.0], dtype), spd([0.7, 1.1, 1.9], dtype, OTHER)
    identity = np.eye(N, dtype=dtype)
    zero = np.zeros((N, N), dtype)
    u = size * spd([-1.0, 0.3, 0.8], dtype, OTHER)
    tied = spd([1.5, 1.5, 1.0], dtype)
    gaps = {
        f"gap {gap}": (x, spd([2.0, 2.0 + gap, 3.0], dtype, OTHER), u) for gap in (1e-3, 1e-6, 1e-9, 1e-12)
    }
    near = {f"apart {a}": (x, x + a * spd([1, 0.5, 2.0], dtype, OTHER), a * u) for a in (1e-4, 1e-8, 1e-12)}
    tiny = np.asarray(1e-12, dtype)
    return {
        "x = y": (x, x, zero),
        "x = y = identity": (identity, identity, zero),
        "repeated": (identity, tied, u),
        "repeated in both": (2 * identity, tied, size * identity),
        "multiples": (tied, 2 * tied, size * tied),
        "tiny": (tiny * x, tiny * y, tiny * u),
        "tiny multiples": (tiny * identity, 2 * tiny * identity, zero),
        "ill-conditioned": (
            spd([1.0, 2.0, wide], dtype),
            spd([1.0, 2.0, 0.5 * wide], dtype),
            spd([0.1, 0.0, 0.0], dtype),
        ),
        **gaps,
        **near,
    }


def precise(matrix):
    """The numbers in memory as an mpmath matrix."""
    return mpmath.matrix([[mpmath.mpf(float(entry)) for entry in row] for row in np.asarray(matrix)])


def precise_affine_invariant(x, y):
    """Affine-invariant distance, by 50 digits throughout."""
    with mpmath.workdps(50):
        lower = mpmath.cholesky(precise(x))
        inverse = mpmath.inverse(lower)
        values = mpmath.eigsy(inverse * precise(y) * inverse.T, eigvals_only=True)
        return float(mpmath.sqrt(sum(mpmath.log(value) ** 2 for value in values)))


def precise_function(matrix, f):
    """F of a symmetric matrix, as an mpmath matrix; call it within workdps."""
    values, vectors = mpmath.eigsy(precise(matrix))
    return vectors * mpmath.diag([f(value) for value in values]) * vectors.T


def frobenius(matrix):
    return mpmath.sqrt(sum(entry**2 for entry in matrix))
