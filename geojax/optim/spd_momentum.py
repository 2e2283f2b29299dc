"""Momentum on structured positive definite matrices in generalised normal coordinates, without inverses."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.typing import Scalar

Matrix = Float[Array, "d d"]


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
    z = _square("symmetric_structure", z=z)[0]
    return (z + z.T) / 4


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
    z = _square("diagonal_structure", z=z)[0]
    return z * jnp.eye(len(z), dtype=z.dtype) / 2


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
    z = _square("triangular_structure", z=z)[0]
    return diagonal_structure(z) + jnp.tril(z, -1) / jnp.sqrt(jnp.asarray(2, z.dtype))


def generalized_normal_coords(
    factor: Matrix, z: Matrix, *, structure: Callable[[Matrix], Matrix] = symmetric_structure
) -> Matrix:
    """Factor of the positive definite matrix with generalised normal coordinates z about A A^T.

    S(z) = B B^T,  B = A h(N),  N = structure(z),  h(N) = I + N + N^2 / 2 = exp(N) to second order.

    At z = 0 the affine-invariant metric tr(S^-1 dS S^-1 dS) is |dz|^2, for dz in the structure.

    Args:
        factor: A, [d, d], invertible and in the structure.
        z: Coordinates, [d, d].
        structure: Linear map from coordinates into a matrix algebra with unit.

    Returns:
        B, [d, d]: in the structure, and for the three structures of this package invertible whatever z is, as h(N) is.

    Raises:
        ValueError: At trace time, if the matrices are not square of one size.

    Differentiation: exact.

    Complexity: Two products of matrices.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import generalized_normal_coords
        >>> generalized_normal_coords(2 * jnp.eye(2), 2 * jnp.eye(2)).tolist()
        [[5.0, 0.0], [0.0, 5.0]]

    References: [Lin2023].
    """
    factor, z = _square("generalized_normal_coords", factor=factor, z=z)
    n = structure(z)
    moved = factor @ n
    return factor + moved + (moved @ n) / 2


def spd_momentum_step(
    factor: Matrix,
    momentum: Matrix,
    gradient: Matrix,
    *,
    learning_rate: Scalar,
    decay: Scalar = 0.9,
    structure: Callable[[Matrix], Matrix] = symmetric_structure,
) -> tuple[Matrix, Matrix]:
    """A step of Riemannian gradient descent with momentum on A A^T, affine-invariant, without inverses.

    m <- decay m + dL/dz,   A <- A h(structure(-learning_rate m)),  in generalised normal coordinates z about A A^T.

    For symmetric coordinates moving A carries m along by parallel transport, so this is Riemannian momentum with
    exp and transport, to second order in the learning rate: h is where they differ.

    Args:
        factor: A, [d, d], invertible and in the structure.
        momentum: m, [d, d], in coordinates; zeros at first.
        gradient: Gradient of the loss by S = A A^T, [d, d], symmetric.
        learning_rate: Step. Traced.
        decay: Decay of the momentum, in [0, 1). Traced.
        structure: As for `generalized_normal_coords`.

    Returns:
        (A, m) of the next step; A A^T is positive definite whatever the step.

    Raises:
        ValueError: At trace time, if the matrices are not square of one size.

    Differentiation: exact.

    Complexity: Four products of matrices, no factorisation: fit for bfloat16.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import spd_momentum_step
        >>> factor, momentum = jnp.eye(1), jnp.zeros((1, 1))
        >>> for _ in range(50):  # of S / 4 - log(S), least at 4
        ...     gradient = 1 / 4 - 1 / (factor @ factor.T)
        ...     factor, momentum = spd_momentum_step(factor, momentum, gradient, learning_rate=0.3, decay=0.3)
        >>> round(float(factor[0, 0] ** 2), 3)
        4.0

    References: [Lin2023].
    """
    factor, momentum, gradient = _square(
        "spd_momentum_step", factor=factor, momentum=momentum, gradient=gradient
    )
    # dS = A (N + N^T) A^T, so the derivative by N is 2 A^T gradient A; by z it goes through the linear map.
    by_n = factor.T @ (gradient + gradient.T) @ factor
    (by_z,) = jax.linear_transpose(structure, momentum)(by_n)
    momentum = jnp.asarray(decay, factor.dtype) * momentum + by_z
    rate = jnp.asarray(learning_rate, factor.dtype)
    return generalized_normal_coords(factor, -rate * momentum, structure=structure), momentum


def _square(where: str, **matrices: Array) -> tuple[Array, ...]:
    arrays = checks.floats(where, **matrices)
    checks.shapes(where, **{name: (array, "d d") for name, array in zip(matrices, arrays)})
    return arrays
