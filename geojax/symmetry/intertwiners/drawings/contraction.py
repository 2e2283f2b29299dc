"""Arrays along labelled axes: diagonals, sums, and their converses, without a matrix of the map.

Labels are small integers, one for each axis; axes with equal labels have one index. Axes beyond the labelled ones, such
as channels, come last and are left alone.
"""

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def diagonal(x: Array, labels: Sequence[int]) -> tuple[Array, tuple[int, ...]]:
    """``x`` where axes of equal labels have equal indices; its axes are then the labels by first appearance."""
    left = list(labels)
    while len(set(left)) < len(left):
        second = next(axis for axis, label in enumerate(left) if label in left[:axis])
        first = left.index(left[second])
        size = x.shape[first]
        x = jnp.moveaxis(x, second, first + 1)
        # The diagonal of two neighbouring axes is a slice with stride: no gather, and a pad as its transpose.
        flat = x.reshape(*x.shape[:first], size * size, *x.shape[first + 2 :])
        x = jax.lax.slice_in_dim(flat, 0, size * size, size + 1, axis=first)
        del left[second]
    return x, tuple(left)


def ordered(x: Array, labels: Sequence[int], order: Sequence[int]) -> Array:
    """``x`` with its labelled axes in another order."""
    axes = [labels.index(label) for label in order]
    if axes == list(range(len(labels))):
        return x
    return jnp.transpose(x, (*axes, *range(len(labels), x.ndim)))


def spread(y: Array, labels: Sequence[int], count: int) -> Array:
    """The converse of `diagonal`: ``y`` at equal indices of axes with equal labels, zero elsewhere.

    Args:
        y: An axis for each of the ``count`` labels, of length 1 where it does not depend on it, then others.
        labels: Labels of the axes to make, each label first appearing after all smaller ones.
        count: How many labels there are.

    Returns:
        An array that broadcasts against the axes to make; one select writes all diagonals.
    """
    first = [labels.index(label) for label in range(count)]
    shape = [1] * len(labels)
    for label in range(count):
        shape[first[label]] = y.shape[label]
    return y.reshape(*shape, *y.shape[count:])


def on_diagonals(labels: Sequence[int], shape: Sequence[int], trailing: int) -> Array | None:
    """Whether axes with equal labels have equal indices, to broadcast against ``shape``; None if labels differ."""
    mask = None
    ndim = len(labels) + trailing
    for axis, label in enumerate(labels):
        first = labels.index(label)
        if axis == first:
            continue
        sizes = [1] * ndim
        sizes[axis] = sizes[first] = shape[axis]
        equal = jax.lax.broadcasted_iota(jnp.int32, sizes, axis) == jax.lax.broadcasted_iota(
            jnp.int32, sizes, first
        )
        mask = equal if mask is None else mask & equal
    return mask


@functools.cache
def signed_permutations(size: int) -> tuple[np.ndarray, np.ndarray]:
    """All permutations of n, [n!, n], and their signs, [n!]: the entries of the Levi-Civita tensor that are not 0."""
    table = np.array(list(itertools.permutations(range(size))), np.int32).reshape(-1, size)
    before = np.triu(np.ones((size, size), bool), 1)
    inversions = ((table[:, :, None] > table[:, None, :]) & before).sum((1, 2))
    return table, 1 - 2 * (inversions % 2)


def through_determinant(x: Array, incoming: Sequence[int], outgoing: Sequence[int], size: int) -> Array:
    """y[o..., rest] = sum over permutations p of n of  sign(p) x[p[incoming], rest]  at  o = p[outgoing].

    The Levi-Civita tensor between some axes and others, by its n! entries; a number in both lists is an index that
    passes through.

    Args:
        x: First an axis for each of the ``incoming`` places of a permutation, then the others.
        incoming: Places of the permutation that x is read at.
        outgoing: Places that the result is written at.
        size: n.
    """
    table, signs = signed_permutations(size)
    ahead = len(incoming)
    rest = x.shape[ahead:]
    read = (
        x[tuple(table[:, place] for place in incoming)] if ahead else jnp.broadcast_to(x, (len(table), *rest))
    )
    read = read * jnp.asarray(signs, x.dtype).reshape(-1, *(1 for _ in rest))
    if not outgoing:
        return read.sum(0)
    flat = np.ravel_multi_index(tuple(table[:, place] for place in outgoing), (size,) * len(outgoing))
    summed = jax.ops.segment_sum(read, flat, size ** len(outgoing))
    return summed.reshape((size,) * len(outgoing) + rest)


def skewed(x: Array, axis: int) -> Array:
    """``x`` multiplied along an axis by the skew form J = [[0, 1], [-1, 0]] of two halves."""
    first, second = jnp.split(x, 2, axis=axis)
    return jnp.concatenate([second, -first], axis=axis)
