"""Tensors of elasticity: as matrices whose eigenvalues mean what they should, and their parts under rotations."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once

PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
HIGHEST = jax.lax.Precision.HIGHEST
Tensor = Float[Array, "3 3 3 3"]


def _basis() -> np.ndarray:
    """An orthonormal basis of symmetric matrices, as rows [6, 9]."""
    rows = np.zeros((6, 3, 3))
    for place, (i, j) in enumerate(PAIRS):
        rows[place, i, j] = rows[place, j, i] = 1 if i == j else np.sqrt(0.5)
    return rows.reshape(6, 9)


_ROWS = _basis()
# Each entry of a symmetric matrix has one place among the six, and one factor.
_PLACE = np.argmax(_ROWS != 0, axis=0).astype(np.int32)
_FACTOR = np.where(_PLACE < 3, 1.0, np.sqrt(0.5))


@rounded_once
def mandel(tensor: Tensor) -> Float[Array, "6 6"]:
    """Tensor that maps symmetric matrices to symmetric matrices, as a matrix in an orthonormal basis (Mandel's).

    M_ab = sum_ijkl B^a_ij C_ijkl B^b_kl, with B the symmetric matrices e_11, e_22, e_33 and
    (e_23 + e_32, e_13 + e_31, e_12 + e_21) / sqrt(2).

    Args:
        tensor: C, [3, 3, 3, 3]; only the part that is symmetric in i, j and in k, l is read.

    Returns:
        M, [6, 6], in units of C, with the eigenvalues and the norm of C as a map; symmetric if C_ijkl = C_klij. Turned
        by R it is Q M Q^T with the orthogonal Q = mandel(R_ik R_jl).

    Raises:
        ValueError: At trace time, if the shape is another.

    Differentiation: exact; it is linear.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import mandel
        >>> identity = jnp.einsum("ik,jl->ijkl", jnp.eye(3), jnp.eye(3))
        >>> bool(jnp.allclose(mandel(identity), jnp.eye(6)))
        True

    References: [Grega2024].
    """
    (tensor,) = checks.floats("mandel", tensor=tensor)
    checks.shapes("mandel", tensor=(tensor, "3 3 3 3"))
    rows = jnp.asarray(_ROWS, tensor.dtype)
    half = jnp.matmul(rows, tensor.reshape(9, 9), precision=HIGHEST)
    return jnp.matmul(half, rows.T, precision=HIGHEST)


@rounded_once
def from_mandel(matrix: Float[Array, "6 6"]) -> Tensor:
    """Tensor of elasticity from its matrix in Mandel's basis: the inverse of `mandel` on symmetric matrices.

    C_ijkl = sum_ab B^a_ij M_ab B^b_kl.

    Args:
        matrix: M, [6, 6]; only its symmetric part is read.

    Returns:
        C, [3, 3, 3, 3], in units of M, with C_ijkl = C_jikl = C_ijlk = C_klij to the bit. The energy of any strain is
        not negative exactly if M has no negative eigenvalue: as the exponential of a symmetric matrix has none, a
        network that gives a matrix S makes stable materials by from_mandel(SPDAffineInvariant().exp(1, S)), which
        turns as S does.

    Raises:
        ValueError: At trace time, if the shape is another.

    Differentiation: exact; it is linear.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import from_mandel
        >>> from geojax.manifolds import SPDAffineInvariant
        >>> stiffness = from_mandel(SPDAffineInvariant().exp(jnp.eye(6), -jnp.ones((6, 6))))
        >>> strain = jnp.array([[1.0, 2.0, 0.0], [2.0, -3.0, 0.5], [0.0, 0.5, 1.0]])
        >>> float(jnp.einsum("ij,ijkl,kl", strain, stiffness, strain)) > 0
        True

    References: [Grega2024].
    """
    (matrix,) = checks.floats("from_mandel", matrix=matrix)
    checks.shapes("from_mandel", matrix=(matrix, "6 6"))
    matrix = (matrix + matrix.T) / 2
    factors = jnp.asarray(np.outer(_FACTOR, _FACTOR), matrix.dtype)
    return (matrix[np.ix_(_PLACE, _PLACE)] * factors).reshape(3, 3, 3, 3)


@rounded_once
def harmonic_split(
    tensor: Tensor,
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, "3 3"], Float[Array, "3 3"], Tensor]:
    """Parts of a tensor of elasticity that rotations do not mix: two numbers, two matrices and a tensor.

    C_ijkl = l d_ij d_kl + m (d_ik d_jl + d_il d_jk) + (d_ij a_kl + d_kl a_ij)
             + (d_ik b_jl + d_jl b_ik + d_il b_jk + d_jk b_il) + h_ijkl,  d the identity.
    With D_ij = C_ijkk and V_ij = C_ikjk, and ' for what is left without the trace: l = (2 tr D - tr V) / 15,
    m = (3 tr V - tr D) / 30, a = (5 D' - 4 V') / 7, b = (3 V' - 2 D') / 7.

    Args:
        tensor: C, [3, 3, 3, 3]; only its part with the symmetries of elasticity is read, which has 21 numbers.

    Returns:
        (l, m, a, b, h), in units of C: the numbers, of degree 0, are the two Lame constants of an isotropic material;
        a and b, of degree 2, are symmetric without trace (5 numbers each); h, of degree 4, is symmetric in all its
        places without trace (9 numbers). Each part turns by itself.

    Raises:
        ValueError: At trace time, if the shape is another.

    Differentiation: exact; it is linear.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import harmonic_split
        >>> d = jnp.eye(3)
        >>> shear = jnp.einsum("ik,jl->ijkl", d, d) + jnp.einsum("il,jk->ijkl", d, d)
        >>> steel = 115 * jnp.einsum("ij,kl->ijkl", d, d) + 77 * shear
        >>> [round(float(part), 3) for part in harmonic_split(steel)[:2]]
        [115.0, 77.0]

    References: [Backus1970]; [Grega2024] for the use.
    """
    (tensor,) = checks.floats("harmonic_split", tensor=tensor)
    checks.shapes("harmonic_split", tensor=(tensor, "3 3 3 3"))
    tensor = from_mandel(mandel(tensor))
    d = jnp.eye(3, dtype=tensor.dtype)
    dilatation, voigt = jnp.einsum("ijkk->ij", tensor), jnp.einsum("ikjk->ij", tensor)
    of_d, of_v = jnp.trace(dilatation), jnp.trace(voigt)
    l, m = (2 * of_d - of_v) / 15, (3 * of_v - of_d) / 30
    dilatation, voigt = dilatation - d * of_d / 3, voigt - d * of_v / 3
    a, b = (5 * dilatation - 4 * voigt) / 7, (3 * voigt - 2 * dilatation) / 7
    # The number parts are matrices of degree 0 in the same places.
    outer, inner = _outer(a + l * d / 2), _inner(b + m * d / 2)
    return l, m, a, b, tensor - outer - inner


def _outer(a: Float[Array, "3 3"]) -> Tensor:
    """d_ij a_kl + d_kl a_ij."""
    d = jnp.eye(3, dtype=a.dtype)
    one = d[:, :, None, None] * a
    return one + one.transpose(2, 3, 0, 1)


def _inner(b: Float[Array, "3 3"]) -> Tensor:
    """d_ik b_jl + d_jl b_ik + d_il b_jk + d_jk b_il."""
    d = jnp.eye(3, dtype=b.dtype)
    one = d[:, None, :, None] * b[None, :, None, :]
    two = one + one.transpose(1, 0, 3, 2)
    return two + two.transpose(0, 1, 3, 2)
