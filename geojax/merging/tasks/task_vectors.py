"""Merging by task vectors, the differences between fine-tuned models and the model they come from."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, tree
from geojax.merging.aligned import WeightMatching, aligned
from geojax.merging.leaves import (
    coefficients,
    is_merged,
    like_stack,
    map_stack,
    model_of,
    same_model,
    stack_size,
)
from geojax.typing import Key, Params, Scalar

__all__ = ["dare", "task_arithmetic", "ties"]


def task_arithmetic(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    align: WeightMatching | None = None,
) -> Params:
    """Adds the task vectors of several models to the model they come from.

    theta + sum_i w_i (theta_i - theta)  in every leaf of real or complex numbers; negative weights forget a task.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models, a list of k, or one tree with a leading axis of length k.
        weights: How much each task vector counts, [k]. If None, 1 each.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto base.

    Returns:
        One model, a tree like base, every leaf in its own dtype. Leaves that are not real or complex are those of the
        first model of stack.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in base, stack and weights, with the alignment held constant.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import task_arithmetic
        >>> tuned = jnp.array([[1.0, 0.0], [0.0, 3.0]])
        >>> task_arithmetic(jnp.zeros(2), tuned, jnp.array([1.0, 0.5])).tolist()
        [1.0, 1.5]

    References: [Ilharco2023].
    """
    stack, weights = _prepared("task_arithmetic", base, stack, weights, align)

    def merge(leaf: Array, start: Array) -> Array:
        return start + _weighted_sum(weights, leaf - start)

    return map_stack(merge, stack, like_stack(stack, base))


def ties(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    density: Scalar,
    align: WeightMatching | None = None,
) -> Params:
    """Merges task vectors after trimming small entries and electing the sign of each entry.

    In each leaf of each task vector, of n entries, the density * n of largest magnitude are kept, rounded up so that a
    small leaf keeps one at least; of entries that are equally large the first ones. An entry of the result has the
    sign of the weighted sum of the kept values. It is the weighted mean of those kept values that have this sign, added
    to base.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models, a list of k, or one tree with a leading axis of length k.
        weights: How much each model counts in the vote and the mean, [k], nonnegative; only ratios matter. If None, all
            count alike.
        density: Fraction of the entries of a leaf to keep, in [0, 1]. Traced.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto base.

    Returns:
        One model, a tree like base. A complex entry votes with the sign of its real part.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in base, stack and weights where no entry changes sides, with the alignment held; none by
        density.
    Complexity: a sort of every leaf of every model.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import ties
        >>> tuned = jnp.array([[4.0, 0.1, 2.0], [2.0, 0.1, -3.0]])
        >>> ties(jnp.zeros(3), tuned, density=2 / 3).tolist()
        [3.0, 0.0, -3.0]

    References: [Yadav2023].
    """
    checks.shapes("ties", density=(density, ""))
    stack, weights = _prepared("ties", base, stack, weights, align)

    def merge(leaf: Array, start: Array) -> Array:
        vectors = leaf - start
        kept = jax.vmap(lambda vector: _trimmed(vector, density))(vectors)
        vote = jnp.sign(jnp.real(_weighted_sum(weights, kept)))
        shares = jnp.where(jnp.sign(jnp.real(kept)) == vote, _as_columns(weights, kept), 0) * (vote != 0)
        total = jnp.sum(shares, axis=0)
        merged = start + jnp.sum(shares * kept, axis=0) / jnp.where(total > 0, total, 1)
        # A vote that is NaN agrees with no sign; without this line the result would be the base.
        return jnp.where(jnp.isnan(vote), jnp.nan, merged)

    return map_stack(merge, stack, like_stack(stack, base))


def dare(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    density: Scalar,
    key: Key,
    align: WeightMatching | None = None,
) -> Params:
    """Drops entries of task vectors at random, rescales the rest, and adds them to the base.

    theta + sum_i w_i m_i (theta_i - theta) / density  with independent masks m_i that are 1 with probability density,
    and 0 otherwise. Its expectation is `task_arithmetic`. In the paper's words, the drop rate is 1 - density.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models, a list of k, or one tree with a leading axis of length k.
        weights: How much each task vector counts, [k]. If None, 1 each.
        density: Probability with which an entry is kept, in (0, 1]. Traced.
        key: Random key for the masks.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto base.

    Returns:
        One model, a tree like base.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in base, stack and weights, with the masks and the alignment held constant.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import dare
        >>> dare(jnp.zeros(4), jnp.ones((1, 4)), density=1.0, key=jax.random.key(0)).tolist()
        [1.0, 1.0, 1.0, 1.0]

    References: [YuYuYu2024].
    """
    checks.typed_key("dare", key)
    checks.shapes("dare", density=(density, ""))
    stack, weights = _prepared("dare", base, stack, weights, align)
    numbers = {name: i for i, name in enumerate(tree.named_leaves(stack))}

    def mask(name: str, leaf: Any) -> Any:
        if not is_merged(leaf):
            return leaf
        kept = jax.random.bernoulli(jax.random.fold_in(key, numbers[name]), jnp.asarray(density), leaf.shape)
        return kept.astype(leaf.dtype)

    def merge(leaf: Array, start: Array, mask: Array) -> Array:
        vectors = leaf - start
        # 0 * vectors keeps a NaN in a dropped entry; a product with the mask may be compiled to a choice that does not.
        kept = jnp.where(mask != 0, vectors, 0 * vectors)
        return start + _weighted_sum(weights, kept) / jnp.asarray(density, leaf.real.dtype)

    return map_stack(merge, stack, like_stack(stack, base), tree.map_named(mask, stack))


def _prepared(
    where: str, base: Params, stack: Params, weights: Array | None, align: WeightMatching | None
) -> tuple[Params, Array]:
    """The aligned stack and the weights as an array, after both have been checked against the base."""
    stack = aligned(where, align, stack, base)
    same_model(where, "a model of stack", model_of(stack), "base", base)
    return stack, coefficients(where, weights, stack_size(where, stack))


def _as_columns(weights: Array, leaf: Array) -> Array:
    """The weights in the shape [k, 1, ..., 1], to multiply a leaf [k, ...] with."""
    return weights.astype(leaf.real.dtype).reshape(-1, *(1,) * (leaf.ndim - 1))


def _weighted_sum(weights: Array, vectors: Array) -> Array:
    return jnp.sum(_as_columns(weights, vectors) * vectors, axis=0)


def _trimmed(vector: Array, density: Scalar) -> Array:
    """The vector with all but its largest entries set to zero; of equally large ones the first are kept."""
    size = jax.lax.stop_gradient(jnp.abs(vector)).ravel()
    if size.size == 0:
        return vector
    count = jnp.clip(jnp.ceil(jnp.asarray(density) * size.size - 1e-4), 1, size.size).astype(int)
    threshold = jnp.sort(size)[size.size - count]
    # Written so that a NaN is above every threshold and stays.
    above, level = ~(size <= threshold), size == threshold
    kept = above | (level & (jnp.cumsum(level) <= count - jnp.sum(above)))
    return jnp.where(kept.reshape(vector.shape), vector, 0)
