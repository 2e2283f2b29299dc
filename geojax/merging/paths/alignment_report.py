"""What an alignment changed: barrier, distances and singular vectors, before and after."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax._core.tree import named_leaves
from geojax.merging.leaves import merged_only
from geojax.merging.paths.connectivity import barrier
from geojax.symmetry import SymmetrySpec, act
from geojax.symmetry.units import singular_alignment
from geojax.typing import Params

__all__ = ["AlignmentReport", "alignment_report"]


@struct
class AlignmentReport:
    """Two models before and after an element has moved the second; every array [2] holds both numbers.

    Attributes:
        barrier: The loss barrier on the segment between them.
        distance: Euclidean distance, for each leaf.
        alignment: `symmetry.units.singular_alignment`, for each leaf of two or more axes, as a matrix whose rows run
            over all axes but the last.
    """

    barrier: Float[Array, "2"]
    distance: dict[str, Float[Array, "2"]]
    alignment: dict[str, Float[Array, "2"]]


@rounded_once
def alignment_report(
    spec: SymmetrySpec,
    loss: Callable[[Params], Array],
    params_a: Params,
    params_b: Params,
    element: Mapping[str, Array],
    *,
    num: int = 11,
) -> AlignmentReport:
    """Barrier, distances and alignment of singular vectors between two models, before and after one is moved.

    Before is between a and b, after is between a and act(element, b). An element that removes the barrier usually
    brings the models little closer, but turns the singular vectors of the large singular values towards each other.

    Args:
        spec: The symmetry, from `infer`.
        loss: loss(params), a scalar.
        params_a: The model that stays.
        params_b: The model that is moved.
        element: A group element, such as `result.element` of a matching.
        num: Number of points on the segment; static.

    Returns:
        AlignmentReport.

    Raises:
        ValueError: If a tree or the element does not fit the spec, or the loss is not a scalar.
        TypeError: If leaves differ in dtype.

    Differentiation: exact if singular values are distinct.
    Complexity: 2 num evaluations of the loss, and four singular value decompositions for each leaf.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax import merging, symmetry
        >>> mlp = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> a, x = [jnp.eye(3), jnp.arange(3.0)[:, None]], jnp.eye(3)
        >>> spec = symmetry.infer(mlp, a, x)
        >>> turn = {"0": jnp.array([1, 2, 0])}
        >>> b = symmetry.act(spec, symmetry.inverse(spec, turn), a)
        >>> loss = lambda p: jnp.mean((mlp(p, x) - mlp(a, x)) ** 2)
        >>> report = merging.alignment_report(spec, loss, a, b, turn)
        >>> report.barrier[1].tolist(), report.alignment["0"][1].tolist()
        (0.0, 1.0)

    References: [Ito2025].
    """
    pairs = [(params_a, params_b), (params_a, act(spec, element, params_b))]
    heights = jnp.stack([barrier(loss, *pair, num=num).value for pair in pairs])
    leaves = [tuple(named_leaves(merged_only(params)) for params in pair) for pair in pairs]
    distance = {
        name: jnp.stack([safe.norm(jnp.ravel(a[name] - b[name])) for a, b in leaves]) for name in leaves[0][0]
    }
    matrices = [name for name, leaf in leaves[0][0].items() if jnp.ndim(leaf) > 1]
    alignment = {
        name: jnp.stack([singular_alignment(_matrix(a[name]), _matrix(b[name])) for a, b in leaves])
        for name in matrices
    }
    return AlignmentReport(heights, distance, alignment)


def _matrix(leaf: Array) -> Array:
    return jnp.reshape(leaf, (-1, leaf.shape[-1]))
