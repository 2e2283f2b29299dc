"""Averages of many models, leaf by leaf."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax.merging.aligned import aligned
from geojax.merging.leaves import map_stack, merged_only
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params

__all__ = ["average"]


def average(
    stack: Params,
    weights: Float[Array, " k"],
    *,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """The weighted average of several models of one architecture.

    sum_i w_i theta_i / sum_i w_i  in every leaf of real or complex numbers. Integer and boolean leaves and random keys
    are those of the first model; leaves that are no arrays are kept.

    Args:
        stack: The models as one tree whose array leaves have a leading axis of length k, as `jax.vmap` makes it.
        weights: One weight a model, [k]; only their ratios matter.
        spec: The symmetry of the function; if given, every model is first aligned with the first by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        One model: a tree like stack without the leading axis, every leaf in its own dtype.

    Raises:
        ValueError: If a leaf's leading axis is not as long as weights, or there is a spec without a key.

    Differentiation: exact in stack and weights, with the alignment held; NaN where the weights sum to zero.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import average
        >>> average({"w": jnp.array([[0.0, 0.0], [4.0, 8.0]])}, jnp.array([3.0, 1.0]))["w"].tolist()
        [1.0, 2.0]

    References: [Wortsman2022].
    """
    (count,) = checks.shapes("average", weights=(weights, "k")).values()
    for name, leaf in tree.named_leaves(merged_only(stack)).items():
        if jnp.shape(leaf)[:1] != (count,):
            raise ValueError(
                f"average: leaf {name!r} of stack has shape {list(jnp.shape(leaf))}; expected a leading axis of length "
                f"{count}, one entry for each weight. Stack the models with jax.tree.map and jnp.stack."
            )

    stack = aligned("average", spec, stack, None, key)

    def mix(leaf: Array) -> Array:
        w = jnp.asarray(weights, leaf.dtype)
        return jnp.tensordot(w / jnp.sum(w), leaf, 1, precision="highest")

    return map_stack(mix, stack)
