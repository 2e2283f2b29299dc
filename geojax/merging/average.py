"""Averages of many models, leaf by leaf."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax.merging.leaves import is_merged, merged_only, wide
from geojax.typing import Params

__all__ = ["average"]


def average(stack: Params, weights: Float[Array, " k"]) -> Params:
    """The weighted average of several models of one architecture.

    sum_i w_i theta_i / sum_i w_i  in every leaf of real or complex numbers. Integer and boolean leaves and random keys
    are those of the first model; leaves that are no arrays are kept.

    Args:
        stack: The models as one tree whose array leaves have a leading axis of length k, as `jax.vmap` makes it.
        weights: One weight a model, [k]; only their ratios matter.

    Returns:
        One model: a tree like stack without the leading axis, every leaf in its own dtype.

    Raises:
        ValueError: If a leaf's leading axis is not as long as weights.

    Differentiation: exact in stack and weights; NaN where the weights sum to zero.
    Complexity: linear in the parameters of all models.

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

    def mix(leaf):
        if not hasattr(leaf, "dtype"):
            return leaf
        if not is_merged(leaf):
            return leaf[0]
        w = jnp.asarray(weights, wide(leaf.dtype))
        shares = w / jnp.sum(w)
        mean = jnp.tensordot(shares, jnp.asarray(leaf, shares.dtype), 1, precision="highest")
        return mean.astype(leaf.dtype)

    return jax.tree.map(mix, stack)
