"""Mixtures of experts in weight space."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.tree import is_numeric
from geojax._program.arguments import array_leaves
from geojax.typing import Params


@rounded_once
def interpolated_experts(gates: Float[Array, " k"], experts: Params) -> Params:
    """One expert whose weights are the average of those of many, weighted by gates.

    theta = sum_i gates_i theta_i:  a mixture of experts averages outputs, this averages weights. For linear experts
    the two agree; a one-hot gate gives one expert.

    Args:
        gates: Weight of each expert, [k]; as a rule nonnegative with sum 1.
        experts: The experts as a stack, one tree of real arrays with a leading axis of length k, or as a list of k
            trees.

    Returns:
        A tree like one expert; leaves that are no arrays of numbers are those of the stack, or of the first expert.

    Raises:
        ValueError: If a leaf's leading axis is not as long as gates.

    Differentiation: exact in gates and experts.
    Complexity: one pass over all experts.
    Batch: jax.vmap over gates gives each token an expert of its own.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.symmetry.layers import interpolated_experts
        >>> interpolated_experts(jnp.array([0.25, 0.75]), {"w": jnp.array([[4.0], [8.0]])})["w"].tolist()
        [7.0]

    References: [Chernov2025].
    """
    (count,) = checks.shapes("interpolated_experts", gates=(gates, "k")).values()
    is_stack = all(jnp.shape(leaf)[:1] == (count,) for _, leaf in array_leaves(experts))
    if isinstance(experts, list | tuple) and len(experts) == count and not is_stack:
        experts = jax.tree.map(
            lambda *leaves: jnp.stack(leaves) if is_numeric(leaves[0]) else leaves[0], *experts
        )
    for name, leaf in array_leaves(experts):
        if jnp.shape(leaf)[:1] != (count,):
            raise ValueError(
                f"interpolated_experts: leaf {name!r} of experts has shape {list(jnp.shape(leaf))}; expected a leading "
                f"axis of length {count}, as long as gates. Stack the experts with jax.tree.map(jnp.stack, ...)."
            )

    def mix(leaf: Array) -> Array:
        return jnp.tensordot(jnp.asarray(gates, leaf.dtype), leaf, axes=1, precision="highest")

    return jax.tree.map(lambda leaf: mix(leaf) if is_numeric(leaf) else leaf, experts)
