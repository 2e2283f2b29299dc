"""Multipliers in the eigenbasis of a symmetric matrix, with derivatives that are right at repeated eigenvalues.

For A = V diag(l) V^T and a symmetric kernel k the multiplier is  T(A) P = V (K * (V^T P V)) V^T,  K_ij = k(l_i, l_j),
which does not depend on the choice of V. Its derivative with respect to A along E has the divided differences of the
kernel,

    D T(A)[E] P = V (sum_c k[l_i, l_c; l_j] E_ic P_cj + k[l_c, l_j; l_i] P_ic E_cj) V^T,    E and P in the eigenbasis,

where k[a, b; c] = (k(a, c) - k(b, c)) / (a - b) and the derivative with respect to a on ties [Daleckii1965]. The first
derivative is right at ties; the second if eigenvalues are distinct.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.matrices import divided

Matrix = Float[Array, "n n"]
Kernel = Callable[[Array, Array], Array]
"""Symmetric and smooth on the spectrum, elementwise with broadcasting; it may be a pytree whose leaves are traced."""


def multiply(matrix: Matrix, direction: Matrix, kernel: Kernel) -> Matrix:
    """T(A) P for the symmetric part A of `matrix` and P = `direction`, linear and self-adjoint in P. O(n^3)."""
    return _multiply((matrix + matrix.T) / 2, direction, as_tree(kernel))


def as_tree(kernel: Kernel) -> Kernel:
    """The kernel as a pytree: itself if it is one, else wrapped as a tree without leaves."""
    return jax.tree_util.Partial(kernel) if jax.tree_util.all_leaves([kernel]) else kernel


@jax.custom_jvp
def _multiply(a, p, kernel):
    values, vectors = jnp.linalg.eigh(a)
    return vectors @ (_table(kernel, values) * (vectors.T @ p @ vectors)) @ vectors.T


@_multiply.defjvp
def _(primals, tangents):
    (a, p, kernel), (a_dot, p_dot, kernel_dot) = primals, tangents
    values, vectors = jnp.linalg.eigh(a)
    inside, change, along = (vectors.T @ m @ vectors for m in (p, a_dot, p_dot))
    table, table_dot = jax.jvp(lambda k: _table(k, values), (kernel,), (kernel_dot,))
    slopes = _slopes(kernel, values)
    left = jnp.einsum("icj,ic,cj->ij", slopes, change, inside)
    right = jnp.einsum("jci,ic,cj->ij", slopes, inside, change)
    moved = left + right + table * along + table_dot * inside
    return vectors @ (table * inside) @ vectors.T, vectors @ moved @ vectors.T


def _table(kernel, values):
    return kernel(values[:, None], values[None, :])


def _slopes(kernel, values):
    """The array k[l_i, l_c; l_j]."""
    last = values[None, None, :]

    def section(x):
        return kernel(x, last)

    def slope(x):
        return jax.jvp(section, (x,), (jnp.ones_like(x),))[1]

    return divided.first(section, slope)(values[:, None, None], values[None, :, None])
