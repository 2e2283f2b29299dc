"""Merging by task vectors, the differences between fine-tuned models and the model they come from."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax.merging.aligned import aligned
from geojax.merging.leaves import is_merged, like_stack, map_stack, merged_only, same_model
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params, Scalar

__all__ = ["dare", "task_arithmetic", "ties"]


def task_arithmetic(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"],
    *,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """Adds the task vectors of several models to the model they come from.

    theta + sum_i w_i (theta_i - theta)  in every leaf of real or complex numbers; negative weights forget a task.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models as one tree with a leading axis of length k.
        weights: What each task vector counts, [k].
        spec: The symmetry of the function; if given, every model is first aligned with base by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        One model, a tree like base, every leaf in its own dtype. Leaves that are not real or complex are those of the
        first model.

    Raises:
        ValueError: If trees or shapes disagree, or there is a spec without a key.

    Differentiation: exact in base, stack and weights, with the alignment held.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import task_arithmetic
        >>> tuned = jnp.array([[1.0, 0.0], [0.0, 3.0]])
        >>> task_arithmetic(jnp.zeros(2), tuned, jnp.array([1.0, 0.5])).tolist()
        [1.0, 1.5]

    References: [Ilharco2023].
    """
    stack, weights = _prepared("task_arithmetic", base, stack, weights, spec, key)

    def merge(leaf: Array, start: Array) -> Array:
        return start + _sum(weights, leaf - start)

    return map_stack(merge, stack, like_stack(stack, base))


def ties(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"],
    *,
    density: Scalar,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """Merges task vectors after trimming small entries and outvoting signs.

    Of each leaf of each task vector the share `density` of largest magnitude stays. The sign of an entry is that of the
    weighted sum of what stayed, and the entry the weighted mean of those that have this sign, added to base.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models as one tree with a leading axis of length k.
        weights: What each model counts in vote and mean, [k], nonnegative; only ratios matter.
        density: Share of the entries of a leaf to keep, in [0, 1]; at least one stays. Traced.
        spec: The symmetry of the function; if given, every model is first aligned with base by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        One model, a tree like base. Complex leaves take no part in votes: each has the sign of its real part.

    Raises:
        ValueError: If trees or shapes disagree, or there is a spec without a key.

    Differentiation: exact in base, stack and weights where no entry changes sides, with the alignment held; none by
        density.
    Complexity: a sort of every leaf of every model.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import ties
        >>> tuned = jnp.array([[4.0, 0.1, 2.0], [2.0, 0.1, -3.0]])
        >>> ties(jnp.zeros(3), tuned, jnp.ones(2), density=2 / 3).tolist()
        [3.0, 0.0, -3.0]

    References: [Yadav2023].
    """
    checks.shapes("ties", density=(density, ""))
    stack, weights = _prepared("ties", base, stack, weights, spec, key)

    def merge(leaf: Array, start: Array) -> Array:
        vectors = leaf - start
        kept = jax.vmap(lambda vector: _trimmed(vector, density))(vectors)
        vote = jnp.sign(jnp.real(_sum(weights, kept)))
        shares = jnp.where(jnp.sign(jnp.real(kept)) == vote, _columns(weights, kept), 0) * (vote != 0)
        total = jnp.sum(shares, axis=0)
        merged = start + jnp.sum(shares * kept, axis=0) / jnp.where(total > 0, total, 1)
        # A vote that is NaN has no sign, and would leave the base as it is.
        return jnp.where(jnp.isnan(vote), jnp.nan, merged)

    return map_stack(merge, stack, like_stack(stack, base))


def dare(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"],
    *,
    drop: Scalar,
    key: Key,
    spec: SymmetrySpec | None = None,
) -> Params:
    """Drops entries of task vectors at random, rescales the rest, and adds them to the base.

    theta + sum_i w_i m_i (theta_i - theta) / (1 - drop)  with independent masks m_i that are 1 with probability
    1 - drop: on average what `task_arithmetic` gives.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models as one tree with a leading axis of length k.
        weights: What each task vector counts, [k].
        drop: Probability with which an entry is dropped, in [0, 1). Traced.
        key: Random key for the masks, and for the alignment where there is a spec.
        spec: The symmetry of the function; if given, every model is first aligned with base by `weight_matching`.

    Returns:
        One model, a tree like base.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in base, stack and weights with the masks and the alignment held.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import dare
        >>> dare(jnp.zeros(4), jnp.ones((1, 4)), jnp.ones(1), drop=0.0, key=jax.random.key(0)).tolist()
        [1.0, 1.0, 1.0, 1.0]

    References: [YuYuYu2024].
    """
    checks.typed_key("dare", key)
    checks.shapes("dare", drop=(drop, ""))
    mask_key, key = jax.random.split(key)
    stack, weights = _prepared("dare", base, stack, weights, spec, key)
    numbers = {name: i for i, name in enumerate(tree.named_leaves(stack))}
    keys = tree.map_named(lambda name, leaf: jax.random.fold_in(mask_key, numbers[name]), stack)

    def masks(leaf: Array, key: Key) -> Array:
        if not is_merged(leaf):
            return leaf
        return jax.random.bernoulli(key, 1 - jnp.asarray(drop), leaf.shape).astype(leaf.dtype)

    def merge(leaf: Array, start: Array, mask: Array) -> Array:
        return start + _sum(weights, mask * (leaf - start)) / (1 - jnp.asarray(drop, leaf.real.dtype))

    return map_stack(merge, stack, like_stack(stack, base), jax.tree.map(masks, stack, keys))


def _prepared(
    where: str, base: Params, stack: Params, weights: Array, spec: SymmetrySpec | None, key: Key | None
) -> tuple[Params, Array]:
    """The aligned stack, once the arguments have been checked, and the weights as an array."""
    stack = aligned(where, spec, stack, base, key)
    first = jax.tree.map(lambda leaf: leaf[0] if is_merged(leaf) else leaf, merged_only(stack))
    same_model(where, "a model of stack", first, "base", merged_only(base))
    count = len(jax.tree.leaves(merged_only(stack))[0])
    checks.shapes(where, weights=(weights, str(count)))
    return stack, jnp.asarray(weights)


def _columns(weights: Array, leaf: Array) -> Array:
    """The weights along the leading axis of a leaf."""
    return weights.astype(leaf.real.dtype).reshape(-1, *(1,) * (leaf.ndim - 1))


def _sum(weights: Array, vectors: Array) -> Array:
    return jnp.sum(_columns(weights, vectors) * vectors, axis=0)


def _trimmed(vector: Array, density: Scalar) -> Array:
    """The vector with all but the largest share of its entries set to zero; ties at the threshold stay."""
    size = jnp.abs(vector).ravel()
    if size.size == 0:
        return vector
    count = jnp.clip(jnp.ceil(jnp.asarray(density) * size.size - 1e-4), 1, size.size).astype(int)
    threshold = jnp.sort(size)[size.size - count]
    return jnp.where(jnp.abs(vector) < jax.lax.stop_gradient(threshold), 0, vector)
