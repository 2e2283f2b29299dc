"""The subspace that training explores: mean, principal directions and samples of its iterates."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.merging.averages.average import weighted_mean
from geojax.merging.leaves import as_stack, check_rows, is_merged, merged_only, stack_size
from geojax.merging.tasks.reversible import principal_merge
from geojax.typing import Key, Params

__all__ = ["WeightSubspace", "collect_weights", "sample_subspace", "weight_subspace"]


@struct
class WeightSubspace:
    """Mean and principal directions of a set of models.

    Attributes:
        mean: The mean of the models.
        basis: Orthonormal principal directions, largest variance first: one tree with a leading axis of length p.
        variances: Variance along each direction, [p].
    """

    mean: Any
    basis: Any
    variances: Float[Array, " p"]


def collect_weights(
    step: Callable[[Params, Key], Params], params: Params, *, key: Key, num: int, every: int = 1
) -> Params:
    """Collects iterates of a training.

    Args:
        step: One step of training, ``step(params, key) -> params``.
        params: The start.
        key: Random key; each step gets a key of its own.
        num: Number of models to collect; static.
        every: Number of steps between two of them; static.

    Returns:
        One tree with a leading axis of length num; the start is not among them.

    Raises:
        ValueError: If num or every is less than one.
        TypeError: If a leaf of params is not an array.

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
    checks.arrays_only("collect_weights", "params", params)
    num = checks.count("collect_weights", "num", num, minimum=1)
    every = checks.count("collect_weights", "every", every, minimum=1)

    def visit(params: Params, key: Key) -> tuple[Params, Params]:
        keys = jax.random.split(key, every)
        params = jax.lax.fori_loop(0, every, lambda i, p: step(p, keys[i]), params)
        return params, params

    return jax.lax.scan(visit, params, jax.random.split(key, num))[1]


@rounded_once
def weight_subspace(stack: Params, *, num: int) -> WeightSubspace:
    """Principal directions of a set of models in weight space.

    Args:
        stack: The models, a list of k, or one tree with a leading axis of length k.
        num: Number of directions, from 1 to k; static.

    Returns:
        WeightSubspace, with variances divided by k - 1 (by 1 for a single model). Directions beyond the rank are zero.

    Raises:
        ValueError: If shapes disagree or num is not between 1 and k.

    Differentiation: exact where the variances are distinct.
    Complexity: k^2 passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import weight_subspace
        >>> weight_subspace(jnp.array([[1.0, 0.0], [3.0, 0.0]]), num=1).variances.round(4).tolist()
        [2.0]

    References: [Gubri2022]; [Maddox2019].
    """
    stack = as_stack("weight_subspace", stack)
    count = stack_size("weight_subspace", stack)
    mean = weighted_mean(stack, jnp.ones(count))
    centred = jax.tree.map(lambda leaf, m: leaf - m if is_merged(leaf) else leaf, stack, mean)
    merge = principal_merge("weight_subspace", centred, num)
    squares = jnp.sum(jnp.square(merge.coefficients), axis=0)
    return WeightSubspace(mean, merge.basis, squares / max(1, count - 1))


@rounded_once
def sample_subspace(subspace: WeightSubspace, *, key: Key) -> Params:
    """Draws a model from the Gaussian distribution on a weight subspace.

    mean + sum_j sqrt(variance_j) z_j basis_j  with independent standard normal z.

    Args:
        subspace: The result of `weight_subspace`; scale its variances to draw nearer to the mean or farther away.
        key: Random key.

    Returns:
        A tree like one of the models.

    Raises:
        TypeError: If key is not a typed key.

    Differentiation: exact in the subspace, for the numbers that were drawn.
    Complexity: p passes over the parameters.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import sample_subspace, weight_subspace
        >>> space = weight_subspace(jnp.array([[1.0, 5.0], [3.0, 5.0]]), num=1)
        >>> round(float(sample_subspace(space, key=jax.random.key(0))[1]), 4)
        5.0

    References: [Gubri2022].
    """
    checks.typed_key("sample_subspace", key)
    check_rows("sample_subspace", "subspace.basis", subspace.basis)
    sizes = jnp.sqrt(jnp.maximum(subspace.variances, 0) + 0 * subspace.variances)
    z = sizes * jax.random.normal(key, sizes.shape, sizes.dtype)
    directions = iter(jax.tree.leaves(merged_only(subspace.basis)))

    def move(leaf: Any) -> Any:
        if not is_merged(leaf):
            return leaf
        basis, leaf = next(directions), jnp.asarray(leaf)
        return (leaf + jnp.tensordot(z.astype(basis.dtype), basis, 1)).astype(leaf.dtype)

    return jax.tree.map(move, subspace.mean)
