"""Random unit vectors: independent, or in sets of d that are orthogonal or the corners of a simplex."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax.typing import Key


def random_directions(key: Key, shape: tuple[int, int]) -> Float[Array, "k d"]:
    """Independent unit vectors, uniform on the sphere.

    theta = g / |g|,  g a standard Gaussian vector.

    Args:
        key: Random key.
        shape: (k, d), the number of directions and their dimension.

    Returns:
        Unit rows, [k, d], of the default floating dtype; convert them to the dtype of the points.

    Raises:
        ValueError: If shape is not two positive integers.

    Differentiation: none; the key is the only argument.

    Complexity: O(k d).

    Example:
        >>> import jax
        >>> from geojax.transport import random_directions
        >>> random_directions(jax.random.key(0), (100, 3)).shape
        (100, 3)

    References: [Bonneel2015].
    """
    return _unit_rows(jax.random.normal(key, _checked("random_directions", key, shape)))


def orthogonal_directions(key: Key, shape: tuple[int, int]) -> Float[Array, "k d"]:
    """Unit vectors in orthonormal sets of d, each vector uniform on the sphere.

    Each set is the rows of a random orthogonal matrix with Haar's distribution; the last set is cut off after k rows.

    Args:
        key: Random key.
        shape: (k, d), the number of directions and their dimension.

    Returns:
        Unit rows, [k, d], of the default floating dtype.

    Raises:
        ValueError: If shape is not two positive integers.

    Differentiation: none; the key is the only argument.

    Complexity: O(k d^2).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport import orthogonal_directions
        >>> rows = orthogonal_directions(jax.random.key(0), (3, 3))
        >>> bool(jnp.allclose(rows @ rows.T, jnp.eye(3), atol=1e-5))
        True

    References: [Yu2016]; [Mezzadri2007].
    """
    k, d = _checked("orthogonal_directions", key, shape)
    return rotations(key, k, d).reshape(-1, d)[:k]


def simplex_directions(key: Key, shape: tuple[int, int]) -> Float[Array, "k d"]:
    """Unit vectors in sets of d that point to the corners of a regular simplex, each vector uniform on the sphere.

    In a set, up to a random rotation, theta_i = sqrt(d / (d - 1)) (e_i - 1/d), so theta_i . theta_j = -1 / (d - 1):
    no d vectors are farther apart. The last set is cut off after k rows.

    Args:
        key: Random key.
        shape: (k, d), the number of directions and their dimension; d >= 2.

    Returns:
        Unit rows, [k, d], of the default floating dtype.

    Raises:
        ValueError: If shape is not two positive integers, or d = 1.

    Differentiation: none; the key is the only argument.

    Complexity: O(k d^2).

    Example:
        >>> import jax
        >>> from geojax.transport import simplex_directions
        >>> rows = simplex_directions(jax.random.key(0), (3, 3))
        >>> [round(abs(float(rows[0] @ row)), 3) for row in rows]
        [1.0, 0.5, 0.5]

    References: [Reid2023].
    """
    k, d = _checked("simplex_directions", key, shape)
    return (simplex(d) @ rotations(key, k, d)).reshape(-1, d)[:k]


def simplex(d: int) -> Float[Array, "d d"]:
    """The corners of a regular simplex as unit rows: d vectors in d dimensions, in the hyperplane of sum zero."""
    if d < 2:
        raise ValueError(
            f"simplex_directions: shape asks for dimension {d}; expected at least 2, since a simplex has more than "
            "one corner. Use random_directions."
        )
    return _unit_rows(jnp.eye(d) - 1 / d)


def rotations(key: Key, k: int, d: int) -> Float[Array, "blocks d d"]:
    """Haar-distributed orthogonal matrices, enough for k rows."""
    gaussian = jax.random.normal(key, (-(-k // d), d, d))
    q, r = jnp.linalg.qr(gaussian)
    diagonal = jnp.diagonal(r, axis1=-2, axis2=-1)
    return q * jnp.where(diagonal < 0, -1, 1)[:, None, :]


def _unit_rows(rows: Array) -> Array:
    return rows / jnp.linalg.norm(rows, axis=-1, keepdims=True)


def _checked(where: str, key: Key, shape: tuple[int, int]) -> tuple[int, int]:
    checks.typed_key(where, key)
    if len(shape) != 2:
        raise ValueError(
            f"{where}: shape is {shape}; expected (k, d), the number of directions and their dimension. "
            "Use jax.vmap over keys for more sets."
        )
    return checks.count(where, "shape[0]", shape[0], minimum=1), checks.count(
        where, "shape[1]", shape[1], minimum=1
    )
