"""The logarithm of special unitary matrices: its value by eigenvectors, its derivatives without them.

The Hermitian i (1 - w) / (1 + w) of a unitary w has its eigenvectors and the eigenvalues tan(t / 2), t the angles of
w. It is well conditioned if none of the angles is near pi, so w is turned first.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from geojax._core import implicit
from geojax._core.trigonometric import exp1m_skew

Matrix = Complex[Array, "n n"]


def skew_traceless(a: Matrix) -> Matrix:
    """The part of a matrix in the Lie algebra: skew-Hermitian, of trace zero."""
    part = (a - a.conj().T) / 2
    return part - jnp.trace(part) / len(a) * jnp.eye(len(a), dtype=a.dtype)


def unitary_log(apart: Matrix) -> Matrix:
    """Shortest skew-Hermitian a of trace zero with e^a = 1 + apart, a unitary matrix of determinant 1.

    If there are several, one of them. Derivatives of all orders come from the implicit function theorem; at the cut
    locus, where two angles differ by 2 pi, they are those of a point just before it.
    """
    unitary = jnp.eye(len(apart), dtype=apart.dtype) + apart
    log, spread = _by_eigenvectors(jax.lax.stop_gradient(unitary))
    # Rounding of the unitary matrix took digits from a small logarithm; `apart` still has them.
    log = log + skew_traceless(jax.lax.stop_gradient(_left_over(log, apart)))
    limit = 2 * jnp.pi - 8 * float(jnp.finfo(spread.dtype).eps) ** 0.5
    share = jnp.where(spread > limit, limit / spread, 1).astype(apart.dtype)
    back = exp1m_skew((share - 1) * log)
    inside = apart + back + apart @ back

    def residual(pair: Float[Array, "2 n n"], inside: Float[Array, "2 n n"]) -> Float[Array, "2 n n"]:
        a = _joined(pair)
        return _split(skew_traceless(_left_over(a, _joined(inside))) + (a - skew_traceless(a)))

    solve = implicit.dense if apart.size <= 32 else implicit.krylov
    start = _split(share * log)
    pair, _ = implicit.root(lambda _: (start, ()), residual, _split(inside), linear_solve=solve)
    return _joined(pair) + (1 - share) * log


def angles(unitary: Matrix) -> tuple[Float[Array, " n"], Matrix]:
    """Angles in (-pi, pi] of a unitary matrix, ascending from some angle on, and orthonormal eigenvectors.

    Symmetric functions of the angles have first derivatives at repeated angles too; the vectors have none there.
    """
    n = len(unitary)
    eye = jnp.eye(n, dtype=unitary.dtype)
    fixed = jax.lax.stop_gradient(unitary)
    cosines = jnp.linalg.eigvalsh((fixed + fixed.conj().T) / 2)
    half = jnp.arccos(jnp.clip(cosines, -1, 1))
    # Every angle is one of these or the opposite of one: the middle of their widest gap is far from all.
    around = jnp.sort(jnp.concatenate([half, -half]))
    gaps = jnp.diff(jnp.append(around, around[0] + 2 * jnp.pi))
    widest = jnp.argmax(gaps)
    middle = around[widest] + gaps[widest] / 2
    turned = unitary * jnp.exp(1j * (jnp.pi - middle)).astype(unitary.dtype)
    tangents = jnp.linalg.solve(eye + turned, 1j * (eye - turned))
    values, vectors = jnp.linalg.eigh((tangents + tangents.conj().T) / 2)
    turned_back = 2 * jnp.arctan(values) + middle - jnp.pi
    return jnp.remainder(turned_back + jnp.pi, 2 * jnp.pi) - jnp.pi, vectors


def balanced_angles(unitary: Matrix) -> tuple[Float[Array, " n"], Matrix]:
    """Angles of a unitary matrix of determinant 1 that add up to zero and have the least squares; and eigenvectors."""
    t, vectors = angles(unitary)
    # The angles add up to a multiple of 2 pi; the largest (or smallest) of them change by 2 pi to make that 0.
    turns = jnp.round(jnp.sum(t) / (2 * jnp.pi))
    rank = jnp.argsort(jnp.argsort(-jnp.sign(turns) * t))
    t = t - 2 * jnp.pi * jnp.sign(turns) * (rank < jnp.abs(turns))
    return t - jnp.mean(t), vectors


def _by_eigenvectors(unitary: Matrix) -> tuple[Matrix, Float[Array, ""]]:
    """The logarithm, and the largest difference of its angles."""
    t, vectors = balanced_angles(unitary)
    return (vectors * (1j * t).astype(unitary.dtype)) @ vectors.conj().T, jnp.max(t) - jnp.min(t)


def _left_over(a: Matrix, apart: Matrix) -> Matrix:
    """e^-a (1 + apart) - 1, without cancellation."""
    back = exp1m_skew(-a)
    return back + apart + back @ apart


def _split(a: Matrix) -> Float[Array, "2 n n"]:
    return jnp.stack([a.real, a.imag])


def _joined(pair: Float[Array, "2 n n"]) -> Matrix:
    return jax.lax.complex(pair[0], pair[1])
