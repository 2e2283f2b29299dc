"""Averages of many models, leaf by leaf."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax.merging.aligned import WeightMatching, aligned
from geojax.merging.leaves import coefficients, map_stack, stack_size
from geojax.typing import Params

__all__ = ["average"]


def average(
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    align: WeightMatching | None = None,
) -> Params:
    """The weighted average of several models of one architecture.

    sum_i w_i theta_i / sum_i w_i  in every leaf of real or complex numbers. Every other leaf (integers, booleans,
    random keys, functions) is that of the first model.

    Args:
        stack: The models, a list of k, or one tree whose arrays have a leading axis of length k, as `jax.vmap` makes
            it.
        weights: One weight for each model, [k]; only their ratios matter. If None, all count alike.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto the first.

    Returns:
        One model: a tree like stack without the leading axis, every leaf in its own dtype.

    Raises:
        ValueError: If models or shapes disagree.

    Differentiation: exact in stack and weights, with the alignment held; NaN where the weights sum to zero.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import average
        >>> average({"w": jnp.array([[0.0, 0.0], [4.0, 8.0]])}, jnp.array([3.0, 1.0]))["w"].tolist()
        [1.0, 2.0]

    References: [Wortsman2022].
    """
    stack = aligned("average", align, stack)
    return weighted_mean(stack, coefficients("average", weights, stack_size("average", stack)))


def weighted_mean(stack: Params, weights: Float[Array, " k"]) -> Params:
    """The weighted mean of the models of a stack."""

    def mix(leaf: Array) -> Array:
        w = weights.astype(leaf.dtype)
        return jnp.tensordot(w / jnp.sum(w), leaf, 1, precision="highest")

    return map_stack(mix, stack)
