"""Momentum on structured positive definite matrices in generalised normal coordinates, without inverses."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.precision import rounded_once
from geojax.optim.preconditioned.spd_structures import square, symmetric_structure
from geojax.typing import Scalar

Matrix = Float[Array, "d d"]


@rounded_once
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
        B, [d, d]: in the structure. For the structures of this package it is invertible for every z, because h(N) is.

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
    factor, z = square("generalized_normal_coords", factor=factor, z=z)
    n = structure(z)
    moved = factor @ n
    return factor + moved + (moved @ n) / 2


@rounded_once
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

    For symmetric coordinates, moving A transports m in parallel. So this is Riemannian momentum with exp and parallel
    transport, up to second order in the learning rate; they differ because h is not the exponential.

    Args:
        factor: A, [d, d], invertible and in the structure.
        momentum: m, [d, d], in coordinates; zeros at first.
        gradient: Gradient of the loss with respect to S = A A^T, [d, d], symmetric.
        learning_rate: Step. Traced.
        decay: Decay of the momentum, in [0, 1). Traced.
        structure: As for `generalized_normal_coords`.

    Returns:
        (A, m) of the next step; A A^T stays positive definite for every learning rate.

    Raises:
        ValueError: At trace time, if the matrices are not square of one size.

    Differentiation: exact.

    Complexity: Four products of matrices and no factorisation, so bfloat16 can be used.

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
    factor, momentum, gradient = square(
        "spd_momentum_step", factor=factor, momentum=momentum, gradient=gradient
    )
    # dS = A (N + N^T) A^T, so the derivative with respect to N is 2 A^T gradient A; the linear map gives that to z.
    by_n = factor.T @ (gradient + gradient.T) @ factor
    (by_z,) = jax.linear_transpose(structure, momentum)(by_n)
    momentum = jnp.asarray(decay, factor.dtype) * momentum + by_z
    rate = jnp.asarray(learning_rate, factor.dtype)
    return generalized_normal_coords(factor, -rate * momentum, structure=structure), momentum
