"""What `verify` draws on the host: parameters around given ones, elements of groups, and moves that no group makes."""

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import GENERAL_LINEAR, PERMUTATION, SCALING, SIGN, Group
from geojax.symmetry.action.layout import Block, Layout


def random_member(group: Group, generator: np.random.Generator, dtype: Any) -> np.ndarray:
    """An element of a group that is not the identity, and well conditioned."""
    if group.kind == PERMUTATION:
        drawn = np.argsort(generator.random(group.shape), axis=-1)
        rest = np.arange(group.size)
        still = np.all(drawn == rest, axis=-1, keepdims=True)
        return np.where(still, np.roll(rest, 1), drawn).astype(np.int32)
    if group.kind == SIGN:
        drawn = generator.choice([-1.0, 1.0], group.shape)
        drawn[..., 0] = np.where(np.all(drawn > 0, axis=-1), -1.0, drawn[..., 0])
        return drawn.astype(dtype)
    if group.kind == SCALING:
        return np.exp(generator.uniform(-1, 1, group.shape)).astype(dtype)
    turn = np.linalg.qr(generator.normal(size=group.shape))[0]
    if group.connected:
        turn[..., 0] *= np.linalg.det(turn)[..., None]
    stretch = generator.uniform(0.5, 2, (*group.shape[:-1], 1)) if group.kind == GENERAL_LINEAR else 1.0
    return (turn * stretch).astype(dtype)


def redraw(array: Any, generator: np.random.Generator, spread: float = 0.6) -> Any:
    """Numbers of the same dtype, moved by uniform noise; an array of positive numbers stays positive.

    ``spread`` is the size of the noise relative to that of the numbers.
    """
    if jax.dtypes.issubdtype(array.dtype, np.complexfloating):
        parts = [redraw(part, generator, spread) for part in (np.real(array), np.imag(array))]
        return (parts[0] + 1j * parts[1]).astype(array.dtype)
    if not jax.dtypes.issubdtype(array.dtype, np.floating):
        return array
    values = np.asarray(array, np.float64)
    if values.size and values.min() > 0:
        return (values * (1 + min(spread, 0.9) * generator.uniform(-1, 1, values.shape))).astype(array.dtype)
    fan = max(1, int(np.prod(values.shape[:-1]))) if values.ndim > 1 else 4
    size = max(float(np.sqrt(np.mean(values**2))) if values.size else 0.0, fan**-0.5)
    return (values + spread * size * generator.uniform(-1, 1, values.shape)).astype(array.dtype)


def mixed(array: Any, places: np.ndarray, axis: int | None) -> np.ndarray:
    """The array with the block at ``places`` mixed along one of the block's axes; positive numbers stay positive.

    Each entry becomes a sum of itself and its neighbour, with random weights along the axis, or with a weight of its
    own for each entry if there is no axis or it has length one; integers are added, truth values picked at random.
    """
    generator = np.random.default_rng(0)
    values = np.array(array)
    block = values.reshape(-1)[places]
    if axis is not None and block.shape[axis] == 1:
        axis = None
    if jax.dtypes.issubdtype(values.dtype, np.inexact):
        wide = np.complex128 if jax.dtypes.issubdtype(values.dtype, np.complexfloating) else np.float64
        block = block.astype(wide)
        shape = (n if axis in (None, k) else 1 for k, n in enumerate(block.shape))
        own, others = generator.uniform(0.5, 1.5, (2, *shape))
        block = own * block + others * np.roll(block, 1, axis)
    elif jax.dtypes.issubdtype(values.dtype, np.integer):
        block = block + np.roll(block, 1, axis)
    elif axis is not None:
        block = np.take(block, generator.integers(0, block.shape[axis], block.shape[axis]), axis)
    flat = values.reshape(-1)
    flat[places] = block.astype(values.dtype)
    return flat.reshape(values.shape)


def place_of_block(leaf: Leaf, number: int) -> np.ndarray:
    """The places of a block's entries in the flattened leaf, in the block's shape."""
    size = int(np.prod(leaf.shape, dtype=int))

    def divide(layout: Layout, places: np.ndarray) -> Iterator[np.ndarray]:
        if isinstance(layout, Block):
            yield places.reshape(layout.shape)
            return
        pieces = np.split(places.reshape(layout.shape), np.cumsum(layout.sizes)[:-1], axis=layout.dim)
        for piece, part in zip(layout.pieces, pieces, strict=True):
            yield from divide(piece, part)

    return next(itertools.islice(divide(leaf.layout, np.arange(size)), number, None))
