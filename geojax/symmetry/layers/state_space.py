"""Diagonal state-space models: the changes of basis that keep their function, and their canonical form.

x' = A x + B u,  y = C x  is the same map from u to y in every basis of its state, so its symmetry is GL(n). Over the
complex numbers almost every model has a diagonal representative.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from geojax._core.precision import rounded_once
from geojax.typing import Scalar

Discretisation = Callable[[Array, Scalar], tuple[Array, Array]]


@rounded_once
def ssm_change_basis(a: Array, b: Array, c: Array, transform: Array) -> tuple[Array, Array, Array]:
    """The same linear system with its state in another basis, x = T z.

    (A, B, C) -> (T^-1 A T, T^-1 B, C T)

    Args:
        a: State matrix, [n, n].
        b: Input vector, [n].
        c: Output vector, [n].
        transform: T, invertible, [n, n].

    Returns:
        The three in the new basis. NaN or infinite if T is singular.

    Differentiation: exact.
    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.layers import ssm_change_basis
        >>> swap = jnp.array([[0.0, 1.0], [1.0, 0.0]])
        >>> parts = ssm_change_basis(jnp.diag(jnp.array([1.0, 2.0])), jnp.arange(2.0), jnp.ones(2), swap)
        >>> jnp.diag(parts[0]).tolist(), parts[1].tolist()
        ([2.0, 1.0], [1.0, 0.0])

    References: [Gu2022]
    """
    turned = jnp.linalg.solve(transform, jnp.concatenate([a @ transform, b[:, None]], axis=1))
    return turned[:, :-1], turned[:, -1], c @ transform


@rounded_once
def ssm_diagonalize(
    a: Array, b: Array, c: Array
) -> tuple[Complex[Array, " n"], Complex[Array, " n"], Complex[Array, " n"]]:
    """The diagonal representative of a linear system: eigenvalues, and input and output in the eigenbasis.

    Runs on the CPU, the one platform for which JAX has nonsymmetric eigenvalues.

    Args:
        a: State matrix with distinct eigenvalues, [n, n].
        b: Input vector, [n].
        c: Output vector, [n].

    Returns:
        (eigenvalues, b, c), complex, each [n]; the kernel is unchanged. Ill-conditioned if eigenvectors nearly
        coincide; then use the normal part of a HiPPO matrix, whose eigenbasis is orthogonal.

    Differentiation: stop_gradient; the eigenvectors of a nonsymmetric matrix have no derivative rule.
    Complexity: O(n^3).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.layers import ssm_diagonalize
        >>> rates, b, c = ssm_diagonalize(jnp.array([[0.0, 1.0], [-1.0, 0.0]]), jnp.ones(2), jnp.ones(2))
        >>> jnp.abs(rates).round(4).tolist()
        [1.0, 1.0]

    References: [Gu2022]
    """
    rates, vectors = jnp.linalg.eig(jax.lax.stop_gradient(a))
    turned = jnp.linalg.solve(vectors, jax.lax.stop_gradient(b).astype(vectors.dtype))
    return rates, turned, jax.lax.stop_gradient(c).astype(vectors.dtype) @ vectors


def hippo_legs(n: int) -> tuple[Float[Array, "n n"], Float[Array, " n"], Float[Array, " n"]]:
    """The HiPPO-LegS system and the vector that splits it into a normal and a rank-one part.

    A[i, k] = -sqrt((2i + 1)(2k + 1)) below the diagonal, -(i + 1) on it; B[i] = sqrt(2i + 1); A + p p^T with
    p[i] = sqrt(i + 1/2) is normal: -1/2 plus a skew-symmetric matrix.

    Args:
        n: Size of the state.

    Returns:
        (A, B, p): [n, n], [n], [n].

    Differentiation: none; constants.
    Complexity: O(n^2).

    Example:
        >>> import geojax as gj
        >>> gj.symmetry.layers.hippo_legs(2)[0].diagonal().tolist()
        [-1.0, -2.0]

    References: [Gu2022]
    """
    i = jnp.arange(n, dtype=jnp.result_type(float))
    root = jnp.sqrt(2 * i + 1)
    return -jnp.tril(jnp.outer(root, root), -1) - jnp.diag(i + 1), root, jnp.sqrt(i + 0.5)


def s4d_legs(n: int) -> Complex[Array, " n"]:
    """Eigenvalues of the normal part of HiPPO-LegS, the S4D-LegS initialisation.

    Args:
        n: Number of eigenvalues.

    Returns:
        [n], with real part -1/2, ordered by imaginary part.

    Differentiation: none; constants.
    Complexity: O(n^3), once.

    Example:
        >>> import geojax as gj
        >>> gj.symmetry.layers.s4d_legs(4).real.round(3).tolist()
        [-0.5, -0.5, -0.5, -0.5]

    References: [Gu2022]
    """
    a, _, p = hippo_legs(n)
    skew = a + jnp.outer(p, p) + jnp.eye(n) / 2
    return -0.5 + 1j * jnp.linalg.eigvalsh(-0.5j * (skew - skew.T))


def s4d_inverse(n: int) -> Complex[Array, " n"]:
    """The S4D-Inv initialisation, an inverse law that follows the spectrum of HiPPO-LegS.

    lambda_k = -1/2 + i n / pi (n / (2k + 1) - 1)

    Args:
        n: Number of eigenvalues.

    Returns:
        [n].

    Differentiation: none; constants.
    Complexity: O(n).

    Example:
        >>> import geojax as gj
        >>> gj.symmetry.layers.s4d_inverse(2).real.tolist()
        [-0.5, -0.5]

    References: [Gu2022]
    """
    k = jnp.arange(n)
    return -0.5 + 1j * n / jnp.pi * (n / (2 * k + 1) - 1)


def s4d_linear(n: int) -> Complex[Array, " n"]:
    """The S4D-Lin initialisation, damped Fourier modes.

    lambda_k = -1/2 + i pi k

    Args:
        n: Number of eigenvalues.

    Returns:
        [n].

    Differentiation: none; constants.
    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> (gj.symmetry.layers.s4d_linear(3).imag / jnp.pi).tolist()
        [0.0, 1.0, 2.0]

    References: [Gu2022]
    """
    return -0.5 + 1j * jnp.pi * jnp.arange(n)


@rounded_once
def zero_order_hold(rates: Array, step: Scalar) -> tuple[Array, Array]:
    """Discretises a diagonal system whose input is constant during a step.

    z = exp(lambda dt),  factor of B = (z - 1) / lambda, which is dt at lambda = 0

    Args:
        rates: Eigenvalues, [n].
        step: dt > 0.

    Returns:
        (discrete eigenvalues, factor of B), each [n].

    Differentiation: exact.
    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> gj.symmetry.layers.zero_order_hold(jnp.zeros(1), 0.5)[1].tolist()
        [0.5]

    References: [Gu2022]
    """
    still = rates == 0
    safe = jnp.where(still, 1, rates)
    return jnp.exp(rates * step), jnp.where(still, step, jnp.expm1(safe * step) / safe)


@rounded_once
def bilinear(rates: Array, step: Scalar) -> tuple[Array, Array]:
    """Discretises a diagonal system by the bilinear (Tustin) rule.

    z = (1 + lambda dt / 2) / (1 - lambda dt / 2),  factor of B = dt / (1 - lambda dt / 2)

    Args:
        rates: Eigenvalues, [n].
        step: dt > 0.

    Returns:
        (discrete eigenvalues, factor of B), each [n].

    Differentiation: exact.
    Complexity: O(n).

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> gj.symmetry.layers.bilinear(jnp.array([-2.0]), 1.0)[0].tolist()
        [0.0]

    References: [Gu2022]
    """
    half = rates * step / 2
    return (1 + half) / (1 - half), step / (1 - half)


@rounded_once
def s4d_kernel(
    rates: Array,
    b: Array,
    c: Array,
    step: Scalar,
    *,
    length: int,
    discretise: Discretisation = zero_order_hold,
) -> Float[Array, " length"]:
    """The convolution kernel of a discretised diagonal system, as a Vandermonde product.

    K[l] = Re sum_k C_k Bbar_k z_k^l

    Args:
        rates: Eigenvalues, [n]; for a real system both of each conjugate pair.
        b: Input vector in the eigenbasis, [n].
        c: Output vector in the eigenbasis, [n].
        step: dt > 0.
        length: Number of entries.
        discretise: `zero_order_hold` or `bilinear`.

    Returns:
        [length].

    Differentiation: exact.
    Complexity: O(n length); the whole [n, length] matrix is held in memory.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> gj.symmetry.layers.s4d_kernel(jnp.zeros(1), jnp.ones(1), jnp.ones(1), 1.0, length=3).tolist()
        [1.0, 1.0, 1.0]

    References: [Gu2022]
    """
    z, factor = discretise(rates, step)
    return jnp.real((c * factor * b) @ z[:, None] ** jnp.arange(length))
