"""Eigenvectors of symmetric matrices with derivatives that are finite at repeated eigenvalues.

With A = V diag(l) V^T, dV = V O with the skew O_ij = (V^T dA V)_ij / (l_j - l_i). At a tie the vectors have no
derivative. There O_ij is taken as 0: the two vectors turn with the others and not into each other. A function that does
not depend on the choice of basis sees no difference, as turning within an eigenspace does not change it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Matrix = Float[Array, "n n"]


@jax.custom_jvp
def eigenvectors(matrix: Matrix) -> tuple[Float[Array, " n"], Matrix]:
    """Ascending eigenvalues of a symmetric matrix, and orthonormal eigenvectors in columns.

    Only the symmetric part of `matrix` is read. Eigenvalues that differ by less than n ulp of the largest are a tie.
    """
    values, vectors = jnp.linalg.eigh((matrix + matrix.T) / 2)
    return values, vectors


@eigenvectors.defjvp
def _(primals: tuple[Matrix], tangents: tuple[Matrix]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    values, vectors = eigenvectors(*primals)
    change = vectors.T @ ((tangents[0] + tangents[0].T) / 2) @ vectors
    gaps = values[None, :] - values[:, None]
    tied = jnp.abs(gaps) <= 4 * len(values) * jnp.finfo(values.dtype).eps * jnp.max(
        jnp.abs(values), initial=0
    )
    turn = jnp.where(tied, 0, change / jnp.where(tied, 1, gaps))
    return (values, vectors), (jnp.diagonal(change), vectors @ turn)
