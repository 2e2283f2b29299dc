"""Compact groups as a matching sees them: permutations, with signs or without, signs alone, rotations.

Every element is a matrix on the axis it moves. A permutation is kept as the indices [..., n] of its ones; one with
signs as codes in [0, 2n), where code j + n takes old index j with a minus. An orthogonal element is its matrix
[..., n, n]. What a linear objective looks at are the coordinates of an element: the one-hot rows [..., n, n] of a
permutation, [..., n, 2n] of one with signs, and the matrix itself.
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


def rest(kind: str, shape: tuple[int, ...], dtype) -> Array:
    """The element that moves nothing; ``shape`` is [parents..., n]."""
    if kind in DISCRETE:
        return jnp.broadcast_to(jnp.arange(shape[-1], dtype=jnp.int32), shape)
    return jnp.broadcast_to(jnp.eye(shape[-1], dtype=dtype), (*shape, shape[-1]))


def apply(kind: str, value: Array, x: Array, axis: int, batch: list[int], signed: bool) -> Array:
    """``x`` moved along ``axis`` by an element for each index of the ``batch`` axes; signs count where asked."""
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
    """1 or -1 for each code."""
    return jnp.where(codes >= codes.shape[-1], -1, 1)


def widened(kind: str, gains: Float[Array, "*p n n"], signed: bool) -> Float[Array, "*p n k"]:
    """The gains of the coordinates of an element, from the inner products of new with old slices."""
    if kind not in (SIGNED, SIGN):
        return gains
    return jnp.concatenate([gains, -gains if signed else gains], axis=-1)


def width(kind: str, n: int) -> int:
    """How many coordinates a row of an element has."""
    return 2 * n if kind in (SIGNED, SIGN) else n


def coordinates(kind: str, value: Array, dtype) -> Float[Array, "*p n k"]:
    """The coordinates of an element."""
    if kind not in DISCRETE:
        return value.astype(dtype)
    return jax.nn.one_hot(value, width(kind, value.shape[-1]), dtype=dtype)


def centre(kind: str, value: Array, dtype) -> Float[Array, "*p n k"]:
    """Coordinates as far from every element as can be: every new position takes the same of every old one."""
    if kind not in DISCRETE:
        return jnp.zeros_like(value, dtype)
    n = value.shape[-1]
    if kind == SIGN:
        eye = jnp.eye(n, dtype=dtype) / 2
        return jnp.broadcast_to(jnp.concatenate([eye, eye], axis=-1), (*value.shape, 2 * n))
    return jnp.full((*value.shape, width(kind, n)), 1 / width(kind, n), dtype)


def matrix(kind: str, point: Float[Array, "*p n k"], signed: bool) -> Float[Array, "*p n n"]:
    """The matrix that coordinates stand for, those between elements included."""
    if kind not in (SIGNED, SIGN):
        return point
    plus, minus = jnp.split(point, 2, axis=-1)
    return plus - minus if signed else plus + minus


def best(kind: str, gains: Float[Array, "*p n k"]) -> Array:
    """The element of largest total gain for each leading index; that at rest where gains are not finite.

    Permutations are exact assignments, with each sign the better of the two; orthogonal elements are the polar
    factors of the gains, rotations the nearest of positive determinant.
    """
    if kind not in DISCRETE:
        return _procrustes(gains, connected=kind == ROTATION)
    n = gains.shape[-2]
    if kind == PERMUTATION:
        return maximum_assignment(gains)
    plus, minus = jnp.split(gains, 2, axis=-1)
    if kind == SIGN:
        found = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), gains.shape[:-1])
    else:
        found = maximum_assignment(jnp.maximum(plus, minus))
    at = lambda x: jnp.squeeze(jnp.take_along_axis(x, found[..., None], axis=-1), -1)  # noqa: E731
    return found + jnp.where(at(minus) > at(plus), n, 0).astype(found.dtype)


def score(kind: str, gains: Float[Array, "*p n k"], value: Array) -> Float[Array, "*p n"]:
    """The gain of each row of an element."""
    if kind not in DISCRETE:
        return jnp.sum(gains * value, axis=-1)
    return jnp.squeeze(jnp.take_along_axis(gains, value[..., None], axis=-1, mode="clip"), -1)


def maximum_assignment(gains: Float[Array, "*p n n"]) -> Array:
    """The permutation of largest total gain for each leading index; the identity where gains are not finite."""
    solve = assignment
    for _ in range(gains.ndim - 2):
        solve = jax.vmap(solve)
    found = solve(-gains)
    return jnp.where(found < 0, jnp.arange(gains.shape[-1], dtype=found.dtype), found)


def _procrustes(gains: Float[Array, "*p n n"], *, connected: bool) -> Float[Array, "*p n n"]:
    finite = jnp.all(jnp.isfinite(gains), axis=(-2, -1), keepdims=True)
    eye = jnp.eye(gains.shape[-1], dtype=gains.dtype)
    left, _, right = jnp.linalg.svd(jnp.where(finite, gains, eye), full_matrices=False)
    if connected:
        turn = jnp.linalg.det(left @ right)
        left = left.at[..., -1].multiply(jnp.where(turn < 0, -1, 1)[..., None].astype(left.dtype))
    return left @ right
