"""The kinds of compact group: how their elements are stored, how they act, and which element gains most.

A permutation is stored as its indices [..., n]. A signed permutation is stored as codes [..., n] in [0, 2n): code j
takes old unit j, code j + n takes old unit j with a minus sign. Signs alone are codes whose unit is their own place. An
orthogonal element is its matrix [..., n, n].

A linear objective sees an element through its coordinates: the one-hot rows [..., n, n] of a permutation, the one-hot
rows [..., n, 2n] of a signed permutation, or the orthogonal matrix itself. The gains of a group are the coefficients
of the objective, in the shape of the coordinates.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.symmetry.action.arrays import multiply, spread, take
from geojax.symmetry.action.groups import PERMUTATION, SIGN
from geojax.transport import assignment

SIGNED = "signed permutation"
ROTATION = "rotation"
DISCRETE = (PERMUTATION, SIGNED, SIGN)
"""The kinds whose elements are stored as integers; the others are ROTATION and ORTHOGONAL."""


def identity_of(kind: str, shape: tuple[int, ...], dtype) -> Array:
    """The identity; ``shape`` is [parents..., n]."""
    if kind in DISCRETE:
        return jnp.broadcast_to(jnp.arange(shape[-1], dtype=jnp.int32), shape)
    return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), (*shape, shape[-1]))


def apply(kind: str, value: Array, x: Array, axis: int, batch: list[int], signed: bool) -> Array:
    """Moves ``x`` along ``axis`` by one element for each index of the ``batch`` axes.

    Signs are applied only if ``signed`` is true.
    """
    if kind not in DISCRETE:
        return multiply(x, axis, batch, value)
    if kind == PERMUTATION:
        return take(x, axis, batch, value)
    n = value.shape[-1]
    if kind == SIGNED:
        x = take(x, axis, batch, value % n)
    if not signed:
        return x
    return x * spread(signs(value), (*batch, axis), x.ndim).astype(x.dtype)


def signs(codes: Array) -> Array:
    """The sign, 1 or -1, of each code."""
    return jnp.where(codes >= codes.shape[-1], -1, 1)


def num_columns(kind: str, n: int) -> int:
    """The length of one row of coordinates."""
    return 2 * n if kind in (SIGNED, SIGN) else n


def gains_of(kind: str, products: Float[Array, "*p n n"], signed: bool) -> Float[Array, "*p n k"]:
    """The gains of a group from the inner products of new with old slices; those of minus signs stand behind."""
    if kind not in (SIGNED, SIGN):
        return products
    return jnp.concatenate([products, -products if signed else products], axis=-1)


def coordinates(kind: str, value: Array, dtype) -> Float[Array, "*p n k"]:
    """The coordinates of an element."""
    if kind not in DISCRETE:
        return value.astype(dtype)
    return jax.nn.one_hot(value, num_columns(kind, value.shape[-1]), dtype=dtype)


def centre(kind: str, value: Array, dtype) -> Float[Array, "*p n k"]:
    """The coordinates of the mean of all elements; ``value`` is any element and gives the shape."""
    if kind not in DISCRETE:
        return jnp.zeros_like(value, dtype)
    n = value.shape[-1]
    if kind == SIGN:
        eye = jnp.eye(n, dtype=dtype) / 2
        return jnp.broadcast_to(jnp.concatenate([eye, eye], axis=-1), (*value.shape, 2 * n))
    return jnp.full((*value.shape, num_columns(kind, n)), 1 / num_columns(kind, n), dtype)


def matrix(kind: str, point: Float[Array, "*p n k"], signed: bool) -> Float[Array, "*p n n"]:
    """The matrix, new by old, for coordinates of an element or of a soft element."""
    if kind not in (SIGNED, SIGN):
        return point
    plus, minus = jnp.split(point, 2, axis=-1)
    return plus - minus if signed else plus + minus


def best(kind: str, gains: Float[Array, "*p n k"]) -> Array:
    """The element of largest total gain for each leading index; the identity if gains are not finite.

    Permutations are exact assignments, each unit with the better of its two signs. Orthogonal elements are the polar
    factors of the gains; rotations the best of determinant 1.
    """
    if kind not in DISCRETE:
        return _procrustes(gains, connected=kind == ROTATION)
    n = gains.shape[-2]
    if kind == PERMUTATION:
        return maximum_assignment(gains)
    plus, minus = jnp.split(gains, 2, axis=-1)
    if kind == SIGN:
        units = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), gains.shape[:-1])
    else:
        units = maximum_assignment(jnp.maximum(plus, minus))
    gain = lambda x: jnp.squeeze(jnp.take_along_axis(x, units[..., None], axis=-1), -1)  # noqa: E731
    return units + jnp.where(gain(minus) > gain(plus), n, 0).astype(units.dtype)


def score(kind: str, gains: Float[Array, "*p n k"], value: Array) -> Float[Array, "*p n"]:
    """The gain of each row of an element."""
    if kind not in DISCRETE:
        return jnp.sum(gains * value, axis=-1)
    return jnp.squeeze(jnp.take_along_axis(gains, value[..., None], axis=-1, mode="clip"), -1)


def maximum_assignment(gains: Float[Array, "*p n n"]) -> Array:
    """The permutation of largest total gain for each leading index; the identity if gains are not finite."""
    solve = assignment
    for _ in range(gains.ndim - 2):
        solve = jax.vmap(solve)
    permutation = solve(-gains)
    in_place = jnp.arange(gains.shape[-1], dtype=permutation.dtype)
    return jnp.where(permutation < 0, in_place, permutation)


def _procrustes(gains: Float[Array, "*p n n"], *, connected: bool) -> Float[Array, "*p n n"]:
    """The orthogonal matrix of largest inner product with the gains; of determinant 1 if ``connected``."""
    finite = jnp.all(jnp.isfinite(gains), axis=(-2, -1), keepdims=True)
    eye = jnp.eye(gains.shape[-1], dtype=gains.dtype)
    left, _, right = jnp.linalg.svd(jnp.where(finite, gains, eye), full_matrices=False)
    if connected:
        determinant = jnp.linalg.det(left @ right)
        left = left.at[..., -1].multiply(jnp.where(determinant < 0, -1, 1)[..., None].astype(left.dtype))
    return left @ right
