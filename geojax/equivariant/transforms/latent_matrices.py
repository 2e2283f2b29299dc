"""Groups that act on a latent space by unknown matrices: fit the matrices, and split them into irreducible blocks."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.matrices import linalg
from geojax._core.precision import rounded_once
from geojax.typing import Key, Scalar


@rounded_once
def latent_action(z: Float[Array, "n k"], gz: Float[Array, "n k"]) -> Float[Array, "k k"]:
    """The matrix by which a group element moves latent vectors, by least squares.

    M = argmin sum_i |gz_i - M z_i|^2; of several minimisers the least.

    Args:
        z: Latent vectors of data, [n, k].
        gz: Latent vectors of the same data, moved by one group element, [n, k].

    Returns:
        M, [k, k]. `jax.vmap` over `gz` gives the matrices of many elements.

    Raises:
        ValueError: If the shapes do not agree.

    Differentiation: exact where the rank of z is locally constant.
    Complexity: O(n k min(n, k)).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import latent_action
        >>> z = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> latent_action(z, z[:, ::-1]).round(3).tolist()
        [[0.0, 1.0], [1.0, 0.0]]

    References: [Koyama2024].
    """
    z, gz = checks.floats("latent_action", z=z, gz=gz)
    checks.shapes("latent_action", z=(z, "n k"), gz=(gz, "n k"))
    return (jnp.linalg.pinv(z) @ gz).T


@rounded_once
def joint_blocks(
    matrices: Float[Array, "m k k"], *, key: Key, tol: Scalar | None = None
) -> tuple[Float[Array, "k k"], Int[Array, " k"]]:
    """A basis in which matrices of a compact group are block diagonal at once, in blocks as small as can be.

    B^-1 M_i B  is block diagonal for all i, and no real basis splits a block further. First an inner product that all
    M_i keep makes them orthogonal; then a generic symmetric matrix that commutes with all of them is diagonalised: its
    eigenspaces are irreducible, with probability one.

    Args:
        matrices: M, [m, k, k]: all elements, generators, or any sample of them. They must belong to a compact group
            (bounded powers and inverses), up to noise within `tol`.
        key: Draws the generic matrix.
        tol: Entries of orthogonal matrices up to this size count as zero. By default the fourth root of the machine
            epsilon; raise it for matrices that were learnt.

    Returns:
        The basis B [k, k], and the number of the block of each of its columns [k], from 0 up, ascending. B is
        orthogonal up to a factor if the M_i are. NaN, and every label -1, if no positive inner product is kept.

    Raises:
        ValueError: If the matrices are not square.

    Differentiation: stop_gradient.
    Complexity: O(k^6 + m k^4).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.equivariant import joint_blocks
        >>> shift = jnp.roll(jnp.eye(5), 1, axis=0)
        >>> basis, labels = joint_blocks(shift[None], key=jax.random.key(0))
        >>> sorted(jnp.bincount(labels).tolist())  # a constant, and two waves of sine and cosine
        [1, 2, 2]

    References: [Murota2010]; [Koyama2024].
    """
    (matrices,) = checks.floats("joint_blocks", matrices=matrices)
    k = checks.shapes("joint_blocks", matrices=(matrices, "m k k"))["k"]
    checks.typed_key("joint_blocks", key)
    matrices = jax.lax.stop_gradient(matrices)
    dtype = matrices.dtype
    limit = float(jnp.finfo(dtype).eps) ** 0.25 if tol is None else jnp.asarray(tol, dtype)
    root, back = _kept_inner_product(matrices, limit)
    turns = root @ matrices @ back

    draws = jax.random.normal(key, (2, k, k), dtype)
    pairs = jnp.einsum("mai,mbj->abij", turns, turns).reshape(k * k, k * k) / len(turns)
    # The mean of conjugations; its symmetric part has the matrices that commute with all as fixed points.
    generic = _fixed(linalg.symmetric(pairs), linalg.symmetric(draws[0]).ravel(), limit**2)
    _, basis = jnp.linalg.eigh(linalg.symmetric(generic.reshape(k, k)))

    coupling = jnp.max(jnp.abs(basis.T @ turns @ basis), axis=0)
    place, cut = jnp.arange(k), jnp.arange(1, k)[:, None, None]
    across = (place[:, None] < cut) & (place >= cut)
    split = jnp.max(jnp.where(across, jnp.maximum(coupling, coupling.T), 0), axis=(1, 2)) <= limit
    labels = jnp.pad(jnp.cumsum(split, dtype=jnp.int32), (1, 0))

    # Within a block every basis is as good: that of another generic matrix is taken, its largest entries positive.
    other = basis.T @ linalg.symmetric(draws[1]) @ basis
    apart = 4 * jnp.max(jnp.sum(jnp.abs(other), axis=1)) * labels.astype(dtype)
    _, within = jnp.linalg.eigh(jnp.where(labels[:, None] == labels, other, 0) + jnp.diag(apart))
    basis = basis @ within
    top = jnp.take_along_axis(basis, jnp.argmax(jnp.abs(basis), axis=0)[None], axis=0)
    basis = back @ jnp.where(top < 0, -basis, basis)
    orthogonal = jnp.max(jnp.abs(jnp.swapaxes(turns, 1, 2) @ turns - jnp.eye(k, dtype=dtype))) <= 4 * limit
    return jnp.where(orthogonal, basis, jnp.nan), jnp.where(orthogonal, labels, -1)


def _kept_inner_product(matrices: Array, limit: Scalar) -> tuple[Array, Array]:
    """The root of a positive matrix S with M^T S M = S for all M, and its inverse; NaN if there is none.

    S is the limit of the means of M^T ... M over longer and longer words: the projection of the unit matrix on the
    fixed points of the mean over single M, along the rest.
    """
    k = matrices.shape[1]
    eye = jnp.eye(k, dtype=matrices.dtype)
    mean = jnp.einsum("mia,mjb->abij", matrices, matrices).reshape(k * k, k * k) / len(matrices)
    left, sizes, right = jnp.linalg.svd(mean - jnp.eye(k * k, dtype=mean.dtype))
    # The fixed points of a compact group are a direct summand, so that the two nullspaces pair without degeneracy.
    null = sizes <= limit * jnp.maximum(1, sizes[0])
    left, right = jnp.where(null, left, 0), jnp.where(null, right.T, 0)
    pairing = left.T @ right + jnp.diag(jnp.where(null, 0, 1).astype(mean.dtype))
    kept = right @ jnp.linalg.solve(pairing, left.T @ eye.ravel())
    values, vectors = jnp.linalg.eigh(linalg.symmetric(kept.reshape(k, k)))
    scale = jnp.sqrt(jnp.where(values > 0, values, jnp.nan))
    scale = scale / jnp.sqrt(jnp.mean(scale * scale))
    return (vectors * scale) @ vectors.T, (vectors / scale) @ vectors.T


def _fixed(operator: Array, start: Array, slack: Scalar) -> Array:
    """The projection on the fixed points of a symmetric operator of norm one."""
    values, vectors = jnp.linalg.eigh(operator)
    return vectors @ jnp.where(values >= 1 - slack, vectors.T @ start, 0)
