"""Cosine and sine of the square root of a matrix, and the exponential of a skew matrix, without eigenvalues.

With S = A^T A and A skew,  exp(A) = cos(S^(1/2)) + A sin(S^(1/2)) / S^(1/2).  Both functions are power series in S, so
neither square roots nor eigenvalues are needed. S is divided by 4^k until it is small, the series are summed, and then
cos 2t - 1 = 2 (cos t - 1)(cos t + 1)  and  sinc 2t = sinc t cos t  are applied k times. Derivatives of every order are
correct, also at zero and at repeated eigenvalues. Only products of matrices are computed [Higham2008].
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact

Square = Inexact[Array, "n n"]

_TERMS = 11
_DOUBLINGS = 10
_COSINE = tuple((-1.0) ** (k + 1) / math.factorial(2 * k + 2) for k in range(_TERMS))  # (cos t - 1) / t^2
_SINC = tuple((-1.0) ** k / math.factorial(2 * k + 1) for k in range(_TERMS))


def cos1m_sinc_sqrtm(s: Square) -> tuple[Square, Square]:
    """cos(s^(1/2)) - 1 and sin(s^(1/2)) / s^(1/2) of a square matrix, each accurate relative to its own size.

    The eigenvalues must be nonnegative and at most 10^6, which is an angle of a thousand radians; beyond that the
    result is NaN.
    """
    eye = jnp.eye(s.shape[0], dtype=s.dtype)
    size = jnp.max(jnp.sum(jnp.abs(jax.lax.stop_gradient(s)), axis=-1), initial=0)
    # The smallest k >= 0 with 4^-k size <= 1. Counting is exact, unlike a logarithm, and gives 0 for NaN.
    powers = jnp.asarray([4.0**k for k in range(_DOUBLINGS)], size.dtype)
    doublings = jnp.sum(size > powers)
    small = s * (0.25 ** doublings.astype(size.dtype)).astype(s.dtype)
    square = small @ small
    cube = square @ small
    cosine, sinc = (
        small @ _series(_COSINE, eye, small, square, cube),
        _series(_SINC, eye, small, square, cube),
    )

    def double(carry, k):
        cosine, sinc = carry
        active = k < doublings
        # A matrix that is not doubled is replaced by 0 first, because the products might overflow.
        low = jnp.where(active, cosine, 0)
        twice = 2 * low @ (low + 2 * eye), jnp.where(active, sinc, 0) @ (low + eye)
        return (jnp.where(active, twice[0], cosine), jnp.where(active, twice[1], sinc)), None

    (cosine, sinc), _ = jax.lax.scan(double, (cosine, sinc), jnp.arange(_DOUBLINGS))
    outside = jnp.where(size <= 4.0**_DOUBLINGS, jnp.zeros((), size.dtype), jnp.nan).astype(s.dtype)
    return cosine + outside, sinc + outside


def exp1m_skew(a: Square) -> Square:
    """exp(a) - 1 of a matrix that is skew or similar to a skew one, for rotations by up to a thousand radians."""
    cosine, sinc = cos1m_sinc_sqrtm(-(a @ a))
    return cosine + a @ sinc


def exp_skew(a: Square) -> Square:
    """exp(a) of a matrix that is skew or similar to a skew one."""
    return jnp.eye(a.shape[0], dtype=a.dtype) + exp1m_skew(a)


def _series(coefficients: tuple[float, ...], eye: Array, s: Array, square: Array, cube: Array) -> Array:
    """The polynomial of degree 10 in s, as pieces of degree 2 joined by Horner's rule in s^3."""

    def piece(k: int) -> Array:
        powers = (eye, s, square)
        terms = [jnp.asarray(c, s.dtype) * p for c, p in zip(coefficients[k : k + 3], powers)]
        return sum(terms[1:], start=terms[0])

    total = piece(9)
    for k in (6, 3, 0):
        total = total @ cube + piece(k)
    return total
