"""Crystal lattices by the logarithm of their shape: six numbers that no rotation of the crystal changes."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once

_BASIS = np.zeros((6, 3, 3))
for _i, (_a, _b) in enumerate(((0, 1), (0, 2), (1, 2))):
    _BASIS[_i, _a, _b] = _BASIS[_i, _b, _a] = 1
_BASIS[3:] = [np.diag(diagonal) for diagonal in ((1, -1, 0), (1, 1, -2), (1, 1, 1))]


@rounded_once
def lattice_log(lattice: Float[Array, "3 3"]) -> Float[Array, " 6"]:
    """The six coefficients of a lattice's shape: those of the logarithm of its symmetric polar factor.

    L = P Q with P symmetric positive and Q orthogonal, and  log P = sum_i k_i B_i  in the basis of symmetric matrices
    B_1, B_2, B_3 = E_12 + E_21, E_13 + E_31, E_23 + E_32, B_4 = diag(1, -1, 0), B_5 = diag(1, 1, -2), B_6 = 1.
    Rotations and reflections of the crystal change Q alone. A family of crystals is a subspace:

      cubic         k_1 = k_2 = k_3 = k_4 = k_5 = 0          (a = b = c, right angles)
      tetragonal    k_1 = k_2 = k_3 = k_4 = 0                (a = b, right angles)
      orthorhombic  k_1 = k_2 = k_3 = 0                      (right angles)
      hexagonal     k_1 = -log(3) / 4, k_2 = k_3 = k_4 = 0   (a = b, angle 120 degrees between them)
      rhombohedral  k_1 = k_2 = k_3, k_4 = k_5 = 0           (a = b = c, equal angles)
      monoclinic    k_1 = k_3 = 0                            (b orthogonal to a and c)
      triclinic     any

    Args:
        lattice: The lattice vectors a, b, c as rows, [3, 3], linearly independent.

    Returns:
        k, [6]; a change of the unit of length changes k_6 alone. NaN if the rows are dependent, within rounding.

    Raises:
        ValueError: If the lattice is not [3, 3].

    Differentiation: exact, also at equal lengths.
    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import lattice_log
        >>> lattice_log(jnp.exp(2.0) * jnp.eye(3)).round(5).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 2.0]

    References: [Jiao2024].
    """
    (lattice,) = checks.floats("lattice_log", lattice=lattice)
    checks.shapes("lattice_log", lattice=(lattice, "3 3"))
    shape = linalg.logm(lattice @ linalg.polar(lattice).T)
    a, b, c = jax.vmap(lambda row: row / safe.norm(row))(jax.lax.stop_gradient(lattice))
    volume = jnp.abs(jnp.dot(a, jnp.cross(b, c)))  # rounding would make a small volume of none
    shape = jnp.where(volume > 16 * jnp.finfo(shape.dtype).eps, shape, jnp.nan)
    basis = jnp.asarray(_BASIS, shape.dtype)
    return jnp.einsum("kij,ij->k", basis, shape) / jnp.sum(basis * basis, axis=(1, 2))


@rounded_once
def lattice_exp(k: Float[Array, " 6"]) -> Float[Array, "3 3"]:
    """The lattice with given coefficients of its shape, in the orientation in which its matrix is symmetric.

    L = exp(sum_i k_i B_i): the inverse of `lattice_log` up to a rotation of the crystal.

    Args:
        k: The coefficients, [6].

    Returns:
        The lattice vectors a, b, c as rows, [3, 3], a symmetric positive matrix.

    Raises:
        ValueError: If k is not [6].

    Differentiation: exact, also at equal lengths.
    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import lattice_exp
        >>> lattice_exp(jnp.log(jnp.array([1.0, 1.0, 1.0, 1.0, 1.0, 3.0]))).round(5).tolist()
        [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]

    References: [Jiao2024].
    """
    (k,) = checks.floats("lattice_exp", k=k)
    checks.shapes("lattice_exp", k=(k, "6"))
    # The factor exp(k_6) is taken out, so that units neither round nor overflow within.
    shape = jnp.einsum("k,kij->ij", k[:5], jnp.asarray(_BASIS[:5], k.dtype))
    return jnp.exp(k[5]) * linalg.sym_fn(shape, jnp.exp, jnp.exp)
