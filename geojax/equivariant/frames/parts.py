"""A frame for each part of a point set."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.equivariant.frames.frame import Frame, float_type
from geojax.equivariant.transforms.errors import stack_size, traceable
from geojax.typing import PyTree

__all__ = ["piecewise"]


def piecewise(
    frame: Callable[[PyTree, Array], Any], labels: Int[Array, " n"], num_parts: int
) -> Callable[[PyTree], Frame]:
    """The frame of a set of points in parts, each of which a group moves for itself.

    The elements are all tuples (g_1, ..., g_p) with g_j from frame(x, mask of part j), of the weight w_1 ... w_p. An
    average over them is equivariant when any part moves for itself, hence also when coarser parts, made of these, do.

    Args:
        frame: frame(x, weights) -> (elements, weights) of the points that have weight 1, among those of weight 0:
            `pca_frame`, or a `functools.partial` of it.
        labels: The part of each point, 0 to num_parts - 1. Traced.
        num_parts: The number p of parts; static.

    Returns:
        f(x) -> Frame whose elements have the axes [k^p, p, ...], where k is how many `frame` lists, with weights [k^p]
        and the least `gap` of a part that has points. Act with the element of a point's part: for motions [3, 3] of
        the plane, ``act(g, x) = einsum("nij,nj->ni", g[labels, :2, :2], x) + g[labels, :2, 2]``.

    Raises:
        ValueError: If ``labels`` are not integers [n], or ``num_parts`` is below 1.
        TypeError: If ``frame`` is no function or ``num_parts`` no Python integer.

    Differentiation: exact, as that of the frame.
    Complexity: p calls of the frame, and k^p elements; `sampled` takes a few of them.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import pca_frame, piecewise
        >>> points = jnp.array([[0.0, 0.0], [2.0, 0.0], [5.0, 5.0], [5.0, 9.0]])
        >>> elements, weights = piecewise(pca_frame, jnp.array([0, 0, 1, 1]), 2)(points)
        >>> elements.shape, elements[0, :, :2, 2].tolist()
        ((16, 2, 3, 3), [[1.0, 0.0], [5.0, 7.0]])

    References: [Atzmon2024].
    """
    checks.function("piecewise", "frame", frame, "Write pca_frame.")
    num_parts = checks.count("piecewise", "num_parts", num_parts, minimum=1)
    checks.arrays_only("piecewise", "labels", labels)
    if not jnp.issubdtype(jnp.result_type(labels), jnp.integer):
        raise ValueError(
            f"piecewise: labels are {checks.described(jnp.asarray(labels))}; expected integers [n]."
        )
    checks.shapes("piecewise", labels=(labels, "n"))

    def of_parts(x: PyTree) -> Frame:
        x = traceable(x)
        masks = (jnp.asarray(labels) == jnp.arange(num_parts)[:, None]).astype(float_type(x))

        def of_part(mask: Array) -> tuple[PyTree, Array, Array]:
            found = frame(x, mask)
            elements, weights = found
            gap = jnp.asarray(getattr(found, "gap", jnp.inf), weights.dtype)
            return elements, weights, jnp.where(jnp.any(mask > 0), gap, jnp.inf)

        elements, weights, gaps = jax.vmap(of_part)(masks)
        size = stack_size(
            "piecewise", jax.tree.map(lambda leaf: leaf[0], elements), name="the frame's elements"
        )
        choices = np.indices((size,) * num_parts).reshape(num_parts, -1).T
        parts = np.arange(num_parts)
        tuples = jax.tree.map(lambda leaf: leaf[parts, choices], elements)
        return Frame(tuples, jnp.prod(weights[parts, choices], axis=1), jnp.min(gaps))

    return rounded_once(of_parts)
