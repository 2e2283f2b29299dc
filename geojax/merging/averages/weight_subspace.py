"""The subspace that a model's weights wander in: means, principal directions and samples of its iterates."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.struct import struct
from geojax.merging.averages.average import average
from geojax.merging.leaves import is_merged, merged_only, stack_size
from geojax.merging.tasks.reversible import reversible_merge
from geojax.typing import Key, Params

__all__ = ["WeightSubspace", "collect_weights", "sample_subspace", "weight_subspace"]


@struct
class WeightSubspace:
    """Where weights wander.

    Attributes:
        mean: The mean of the models.
        basis: Orthonormal principal directions, largest variance first: one tree with a leading axis of length p.
        variances: Variance along each, [p].
    """

    mean: Any
    basis: Any
    variances: Float[Array, " p"]


def collect_weights(
    step: Callable[[Params, Key], Params], params: Params, *, key: Key, num: int, every: int = 1
) -> Params:
    """Collects the iterates of a training that goes on at a constant rate.

    Args:
        step: One step of training, ``step(params, key) -> params``.
        params: The start.
        key: Random key, from which every step has its own.
        num: Models to collect; static.
        every: Steps between two of them; static.

    Returns:
        One tree with a leading axis of length num; the start is not among them.

    Raises:
        ValueError: If num or every is less than one.

    Differentiation: exact, through the steps.
    Complexity: num * every steps, and memory for num models.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import collect_weights
        >>> collect_weights(lambda p, key: p + 1, jnp.zeros(()), key=jax.random.key(0), num=3, every=2).tolist()
        [2.0, 4.0, 6.0]

    References: [Gubri2022]; [Izmailov2018].
    """
    checks.typed_key("collect_weights", key)
    num = checks.count("collect_weights", "num", num, minimum=1)
    every = checks.count("collect_weights", "every", every, minimum=1)

    def visit(params: Params, key: Key) -> tuple[Params, Params]:
        keys = jax.random.split(key, every)
        params = jax.lax.fori_loop(0, every, lambda i, p: step(p, keys[i]), params)
        return params, params

    return jax.lax.scan(visit, params, jax.random.split(key, num))[1]


def weight_subspace(stack: Params, num: int) -> WeightSubspace:
    """Principal directions of a set of models in weight space.

    Args:
        stack: The models as one tree with a leading axis of length k.
        num: How many directions, from 1 to k; static.

    Returns:
        WeightSubspace, with variances divided by k - 1 (by 1 for a single model). Directions beyond the rank are zero.

    Raises:
        ValueError: If shapes disagree or num is not between 1 and k.

    Differentiation: exact where the variances are distinct.
    Complexity: k^2 passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import weight_subspace
        >>> weight_subspace(jnp.array([[1.0, 0.0], [3.0, 0.0]]), 1).variances.round(4).tolist()
        [2.0]

    References: [Gubri2022]; [Maddox2019].
    """
    count = stack_size("weight_subspace", stack)
    mean = average(stack, jnp.ones(count))
    centred = jax.tree.map(lambda leaf, m: leaf - m if is_merged(leaf) else leaf, stack, mean)
    found = reversible_merge(merged_only(centred), num)
    squares = jnp.sum(jnp.square(found.coefficients), axis=0)
    return WeightSubspace(mean, found.basis, squares / max(1, count - 1))


def sample_subspace(key: Key, subspace: WeightSubspace) -> Params:
    """Draws a model from the Gaussian distribution on a weight subspace.

    mean + sum_j sqrt(variance_j) z_j basis_j  with independent standard normal z.

    Args:
        key: Random key.
        subspace: What `weight_subspace` returned; scale its variances to draw nearer or farther.

    Returns:
        A tree like one of the models.

    Raises:
        TypeError: If key is not a typed key.

    Differentiation: exact in the subspace, for the draw at hand.
    Complexity: p passes over the parameters.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import sample_subspace, weight_subspace
        >>> space = weight_subspace(jnp.array([[1.0, 5.0], [3.0, 5.0]]), 1)
        >>> round(float(sample_subspace(jax.random.key(0), space)[1]), 4)
        5.0

    References: [Gubri2022].
    """
    checks.typed_key("sample_subspace", key)
    sizes = jnp.sqrt(jnp.maximum(subspace.variances, 0) + 0 * subspace.variances)
    z = sizes * jax.random.normal(key, sizes.shape, sizes.dtype)
    directions = iter(jax.tree.leaves(subspace.basis))

    def move(leaf: Any) -> Any:
        if not is_merged(leaf):
            return leaf
        basis = next(directions)
        return (leaf + jnp.tensordot(z.astype(basis.dtype), basis, 1)).astype(leaf.dtype)

    return jax.tree.map(move, subspace.mean)
