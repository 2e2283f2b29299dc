"""What is known of a network from its weights one by one: the baseline of learning on weights."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.tree import leaf_pairs
from geojax.typing import Params

__all__ = ["weight_statistics"]

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@rounded_once
def weight_statistics(params: Params) -> Float[Array, " size"]:
    """Mean, variance and quartiles of each leaf: seven numbers a leaf, which no permutation of units changes.

    (mean w, var w, min w, q25 w, median w, q75 w, max w) for each leaf w, in the order of `jax.tree.leaves`

    A forest on these numbers is the baseline that any network on weights has to beat.

    Args:
        params: A tree of arrays.

    Returns:
        A vector with 7 entries for each leaf.

    Raises:
        TypeError: If a leaf is no array of real numbers, or there is none.
        ValueError: If a leaf is empty.

    Differentiation: exact; at equal weights the quantiles have the derivative of one order of them.
    Complexity: a sort of each leaf.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> gj.metanets.weight_statistics({"w": jnp.arange(5.0)}).tolist()
        [2.0, 2.0, 0.0, 1.0, 2.0, 3.0, 4.0]

    References: [Unterthiner2020]
    """
    pairs = leaf_pairs(params)
    if not pairs:
        raise TypeError("weight_statistics: params has no leaves; expected a tree of arrays of real numbers.")
    checks.arrays_only("weight_statistics", "params", params)
    for path, leaf in pairs:
        if jnp.size(leaf) == 0:
            raise ValueError(
                f"weight_statistics: {checks.leaf_of('params', path)} has shape {jnp.shape(leaf)}; expected at least "
                "one number. Leave empty leaves out."
            )
    names = {f"leaf_{i}": leaf for i, (_, leaf) in enumerate(pairs)}
    leaves = checks.floats("weight_statistics", **names)
    return jnp.concatenate([_statistics(jnp.ravel(leaf)) for leaf in leaves])


def _statistics(w: Float[Array, " n"]) -> Float[Array, "7"]:
    moments = jnp.stack([jnp.mean(w), jnp.var(w)])
    return jnp.concatenate([moments, jnp.quantile(w, jnp.asarray(QUANTILES, w.dtype))])
