"""Frames that list a finite group, or draw from another frame."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame, float_type, uniform
from geojax.equivariant.transforms.errors import stack_size
from geojax.typing import Key, PyTree

__all__ = ["sampled", "whole_group"]


def whole_group(elements: PyTree) -> Callable[[PyTree], Frame]:
    """The frame of all elements of a finite group, with equal weights.

    frame(x) = (elements, 1 / k) for every x: averages over it are averages over the group.

    Args:
        elements: All elements, a tree whose leaves share a first axis: [k, n, n] for k matrices, integers [k, n] for k
            permutations.

    Returns:
        frame(x) -> Frame with elements, weights [k], and an infinite `gap`, as the frame never jumps.

    Raises:
        ValueError: If the leaves of ``elements`` share no first axis.

    Differentiation: exact in the elements.
    Complexity: none; what averages over it calls its function k times.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import whole_group
        >>> elements, weights = whole_group(jnp.array([[0, 1], [1, 0]]))(jnp.ones(2))
        >>> weights.tolist()
        [0.5, 0.5]

    References: [Puny2022], of whose frames it is the largest.
    """
    size = stack_size("whole_group", elements)

    def frame(x: PyTree) -> Frame:
        dtype = float_type(elements, x)
        return Frame(jax.tree.map(jnp.asarray, elements), uniform(size, dtype), jnp.asarray(jnp.inf, dtype))

    return rounded_once(frame)


def sampled(frame: Callable[[PyTree], Any], *, key: Key, num: int = 1) -> Callable[[PyTree], Frame]:
    """A frame of a few elements drawn from another, so that averages over it are right in the mean over keys.

    Element i is drawn num w_i times in the mean, by systematic sampling in random order: all the points (u + j) / num,
    j = 0, ..., num - 1, are looked up in the cumulated weights. If the k weights are equal and num = k, each element is
    drawn once, and nothing is lost.

    Args:
        frame: frame(x) -> (elements, weights), k of them; weights of at least 0.
        key: A typed random key. The frame draws alike at every point: for a batch, map over keys too.
        num: How many are drawn; static.

    Returns:
        frame(x) -> Frame with `num` elements and weights [num], each the sum of the weights over num; `gap` is that of
        the frame, infinite if it tells none.

    Raises:
        TypeError: If ``key`` is no typed key or ``num`` no Python integer.
        ValueError: If ``num`` is below 1.

    Differentiation: exact for the elements that are drawn; which are drawn is not differentiated.
    Complexity: one call of the frame, and O(k log k).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.equivariant import sampled, whole_group
        >>> group = whole_group(jnp.array([[[1.0]], [[-1.0]]]))
        >>> elements, weights = sampled(group, key=jax.random.key(0), num=2)(jnp.ones(1))
        >>> sorted(elements[:, 0, 0].tolist()), weights.tolist()
        ([-1.0, 1.0], [0.5, 0.5])

    References: [Duval2023] for one element of a frame at random.
    """
    checks.function("sampled", "frame", frame, "Write whole_group(elements), or pca_frame.")
    checks.typed_key("sampled", key)
    num = checks.count("sampled", "num", num, minimum=1)

    def draw(x: PyTree) -> Frame:
        found = frame(x)
        elements, weights = found
        size = stack_size("sampled", elements, name="the frame's elements")
        (weights,) = checks.floats("sampled", **{"the frame's weights": weights})
        checks.shapes("sampled", **{"the frame's weights": (weights, str(size))})
        for_order, for_start = jax.random.split(key)
        # One draw follows the weights in any order.
        order = jax.random.permutation(for_order, size) if num > 1 else jnp.arange(size)
        ends = jnp.cumsum(jax.lax.stop_gradient(weights)[order])
        steps = jax.random.uniform(for_start, (), ends.dtype) + jnp.arange(num, dtype=ends.dtype)
        places = jnp.searchsorted(ends, ends[-1] * steps / num, side="right")
        # A point that rounding puts at the end belongs to the last element with any weight.
        chosen = order[jnp.minimum(places, jnp.searchsorted(ends, ends[-1]))]
        share = jnp.broadcast_to(jnp.sum(weights) / num, (num,))
        gap = jnp.asarray(getattr(found, "gap", jnp.inf), weights.dtype)
        return Frame(jax.tree.map(lambda leaf: leaf[chosen], elements), share, gap)

    return rounded_once(draw)
