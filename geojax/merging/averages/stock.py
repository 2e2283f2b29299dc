"""Model Stock: how far to go from a pre-trained model towards the average of a few fine-tuned ones."""

import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax.merging.aligned import WeightMatching, aligned
from geojax.merging.leaves import (
    as_stack,
    like_stack,
    map_stack,
    merged_only,
    model_of,
    same_model,
    stack_size,
)
from geojax.typing import Params

__all__ = ["model_stock", "pairwise_cosine"]


def model_stock(base: Params, stack: Params, *, align: WeightMatching | None = None) -> Params:
    """Merges a few fine-tuned models with the model they come from, by the angles between them.

    theta_0 + t (mean_i theta_i - theta_0)  with  t = k c / (1 + (k - 1) c)  in each leaf, where c is the mean cosine
    between the displacements theta_i - theta_0. Suppose each displacement is a common one plus noise of a fixed length,
    orthogonal to it and to the other models' noise. Then this is the point in the plane of the models that is closest
    to the model without noise.

    Args:
        base: The pre-trained model.
        stack: The fine-tuned models, a list of k >= 2, or one tree with a leading axis of length k.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto base.

    Returns:
        One model, a tree like base. A mean cosine below zero counts as zero, and gives base.

    Raises:
        ValueError: If trees or shapes disagree, there are fewer than two models.

    Differentiation: exact in base and stack, with the alignment held constant; finite if a model equals base, whose
        displacement then counts as orthogonal to all others.
    Complexity: k^2 passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import model_stock
        >>> model_stock(jnp.zeros(2), jnp.array([[1.0, 1.0], [1.0, -1.0]])).tolist()
        [0.0, 0.0]

    References: [Jang2024].
    """
    stack = aligned("model_stock", align, stack, base)
    count, cosines = _cosines("model_stock", base, stack)
    if count < 2:
        raise ValueError(
            "model_stock: stack holds one model; expected two or more, because the angles between them decide how far "
            "to go. Use geojax.merging.interpolate with one model."
        )

    def merge(leaf: Array, start: Array, cosine: Array) -> Array:
        mean = (jnp.sum(cosine) - jnp.trace(cosine)) / (count * (count - 1))
        c = jnp.maximum(mean, 0)
        t = count * c / (1 + (count - 1) * c)
        return start + t * (jnp.mean(leaf, axis=0) - start)

    return map_stack(merge, stack, *(like_stack(stack, other) for other in (base, cosines)))


def pairwise_cosine(base: Params, stack: Params) -> Params:
    """Cosines of the angles at a base model between fine-tuned models, leaf by leaf.

    Args:
        base: The model at the vertex of the angles.
        stack: The other models, a list of k, or one tree with a leading axis of length k.

    Returns:
        A tree like base with a matrix [k, k] in place of each leaf of real or complex numbers (if complex, the real
        part of the inner product counts), and None in place of other leaves. A model that equals base in a leaf has a
        row and a column of zeros.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact; zero if a model equals base.
    Complexity: k^2 passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import pairwise_cosine
        >>> pairwise_cosine(jnp.zeros(2), jnp.array([[1.0, 0.0], [0.0, 2.0]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    References: [Jang2024].
    """
    return _cosines("pairwise_cosine", base, stack)[1]


def _cosines(where: str, base: Params, stack: Params) -> tuple[int, Params]:
    stack = as_stack(where, stack, like=base)
    count = stack_size(where, stack)
    stack, base = merged_only(stack), merged_only(base)
    same_model(where, "a model of stack", model_of(stack), "base", base)

    def at(leaf: Array, start: Array) -> Array:
        checks.floats(where, leaf=leaf.real)
        vectors = (leaf - start).reshape(count, -1)
        # The norm has no derivative at 0, so 0 is replaced before the root is taken.
        squared = jnp.sum(jnp.square(jnp.abs(vectors)), axis=1)
        zero = squared == 0
        units = vectors / jnp.sqrt(jnp.where(zero, 1, squared))[:, None]
        return jnp.real(jnp.conj(units) @ units.T)

    return count, map_stack(at, stack, base)
