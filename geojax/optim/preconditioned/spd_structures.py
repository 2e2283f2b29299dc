"""Structures of positive definite matrices: orthonormal coordinates of the algebra of their factors."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once

Matrix = Float[Array, "d d"]


@rounded_once
def symmetric_structure(z: Matrix) -> Matrix:
    """Symmetric matrices in orthonormal coordinates: factors of any positive definite matrix.

    N = (z + z^T) / 4,  so that |N + N^T| = |z| for symmetric z.

    Args:
        z: Coordinates, [d, d]; only the symmetric part is read.

    Returns:
        Matrix [d, d].

    Raises:
        ValueError: At trace time, if z is not square.

    Differentiation: exact; linear.

    Complexity: O(d^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import symmetric_structure
        >>> symmetric_structure(jnp.eye(2)).tolist()
        [[0.5, 0.0], [0.0, 0.5]]

    References: [Lin2023].
    """
    z = square("symmetric_structure", z=z)[0]
    return (z + z.T) / 4


@rounded_once
def diagonal_structure(z: Matrix) -> Matrix:
    """Diagonal matrices in orthonormal coordinates: diagonal factors stay diagonal.

    N = diag(z) / 2,  so that |N + N^T| = |z| for diagonal z.

    Args:
        z: Coordinates, [d, d]; only the diagonal is read.

    Returns:
        Matrix [d, d].

    Raises:
        ValueError: At trace time, if z is not square.

    Differentiation: exact; linear.

    Complexity: O(d^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import diagonal_structure
        >>> diagonal_structure(jnp.ones((2, 2))).tolist()
        [[0.5, 0.0], [0.0, 0.5]]

    References: [Lin2023].
    """
    z = square("diagonal_structure", z=z)[0]
    return z * jnp.eye(len(z), dtype=z.dtype) / 2


@rounded_once
def triangular_structure(z: Matrix) -> Matrix:
    """Lower triangular matrices in orthonormal coordinates: Cholesky factors stay Cholesky factors.

    N_ii = z_ii / 2,  N_ij = z_ij / sqrt(2) for i > j,  so that |N + N^T| = |z| for lower triangular z.

    Args:
        z: Coordinates, [d, d]; only the lower triangle is read.

    Returns:
        Matrix [d, d].

    Raises:
        ValueError: At trace time, if z is not square.

    Differentiation: exact; linear.

    Complexity: O(d^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import triangular_structure
        >>> triangular_structure(jnp.eye(2)).tolist()
        [[0.5, 0.0], [0.0, 0.5]]

    References: [Lin2023].
    """
    z = square("triangular_structure", z=z)[0]
    return diagonal_structure(z) + jnp.tril(z, -1) / jnp.sqrt(jnp.asarray(2, z.dtype))


@rounded_once
def hierarchical_structure(z: Matrix, *, first: int, last: int = 0) -> Matrix:
    """Arrow-shaped matrices in orthonormal coordinates: a diagonal with a few dense rows and columns.

        [ A  B  C ]
    N = [ 0  D  E ],   A, F = (z + z^T) / 4 of sizes `first` and `last`, D = diag(z) / 2, the rest z / sqrt(2),
        [ 0  0  F ]

    so that |N + N^T| = |z| for z with A and F symmetric and zeros as shown. Such matrices are closed under products.

    Args:
        z: Coordinates, [d, d]; only the entries shown are read.
        first: Size of A, a Python integer. With last = 0 the matrices are a diagonal one plus one of rank `first`.
        last: Size of F, a Python integer. Bind both: `functools.partial(hierarchical_structure, first=2)`.

    Returns:
        Matrix [d, d].

    Raises:
        ValueError: At trace time, if z is not square or smaller than first + last.

    Differentiation: exact; linear.

    Complexity: O(d^2) here; d (first + last) numbers are not zero.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import hierarchical_structure
        >>> jnp.sign(hierarchical_structure(jnp.ones((4, 4)), first=1, last=1)).astype(int).tolist()
        [[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]]

    References: [Lin2023].
    """
    z = square("hierarchical_structure", z=z)[0]
    first = checks.count("hierarchical_structure", "first", first, minimum=0)
    last = checks.count("hierarchical_structure", "last", last, minimum=0)
    d = len(z)
    if first + last > d:
        raise ValueError(
            f"hierarchical_structure: first + last is {first + last}; expected at most {d}, the size of z. "
            "Make the blocks smaller."
        )
    block = np.repeat([0, 1, 2], [first, d - first - last, last])
    dense = (block[:, None] == block) & (block != 1)
    above = block[:, None] < block
    within = jnp.where(dense, symmetric_structure(z), diagonal_structure(z))
    return within + jnp.where(above, z, 0) / jnp.sqrt(jnp.asarray(2, z.dtype))


def square(where: str, **matrices: Array) -> tuple[Array, ...]:
    """Check that the arguments are square matrices of one size."""
    arrays = checks.floats(where, **matrices)
    checks.shapes(where, **{name: (array, "d d") for name, array in zip(matrices, arrays)})
    return arrays
