"""Moving arrays along one axis: gathers, products with matrices, and factors that broadcast."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array

from geojax._core.precision import widened


def take(x: Array, axis: int, parents: Sequence[int], permutation: Array) -> Array:
    """``x`` gathered along ``axis``; the leading axes of the permutation run along the axes ``parents`` of ``x``."""
    if not parents:
        return jnp.take(x, permutation, axis=axis, unique_indices=True, mode="clip")
    return jnp.take_along_axis(x, spread(permutation, (*parents, axis), x.ndim), axis=axis, mode="clip")


def multiply(x: Array, axis: int, parents: Sequence[int], matrix: Array) -> Array:
    """Multiplies ``x`` along ``axis`` by one matrix for each index along the axes ``parents``."""
    letters = list(range(x.ndim))
    fresh = x.ndim
    out = [fresh if i == axis else i for i in letters]
    wide_matrix, wide_x = widened((matrix, x))
    product = jnp.einsum(wide_matrix, [*parents, fresh, axis], wide_x, letters, out, precision="highest")
    return product.astype(x.dtype)


def spread(value: Array, axes: tuple[int, ...], ndim: int) -> Array:
    """``value`` reshaped to broadcast: its axes become ``axes`` of ``ndim``, and all other axes have length 1."""
    order = sorted(range(len(axes)), key=lambda i: axes[i])
    shape = [1] * ndim
    for i, axis in enumerate(axes):
        shape[axis] = value.shape[i]
    return jnp.reshape(jnp.transpose(value, order), shape)
