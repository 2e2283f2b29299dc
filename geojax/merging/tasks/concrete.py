"""Concrete subspaces: a random mask shared by all tasks that keeps what does not interfere."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, tree
from geojax._core.loops import vary_with
from geojax._core.struct import struct
from geojax.merging.aligned import aligned
from geojax.merging.leaves import is_merged
from geojax.merging.tasks.task_vectors import task_arithmetic
from geojax.results import Status
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params, Scalar

__all__ = ["ConcreteFit", "concrete_fit", "concrete_mask", "concrete_merge"]


@struct
class ConcreteFit:
    """What `concrete_fit` learnt.

    Attributes:
        logits: Of the mask, a tree like the base model.
        losses: The outer loss at each step, [num_steps].
        error: Norm of the last gradient by the logits.
        num_steps: Steps taken.
        status: MAX_STEPS, or NONFINITE; a stochastic descent does not say when it is done.
    """

    logits: Any
    losses: Float[Array, " steps"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def concrete_mask(logits: Params, key: Key, *, temperature: Scalar) -> Params:
    """Draws a mask with entries between 0 and 1 from the binary Concrete distribution.

    sigmoid((logit + log u - log(1 - u)) / temperature)  with u uniform: above 1/2 with probability sigmoid(logit), at
    every temperature, and closer to 0 and 1 the lower it is.

    Args:
        logits: A tree of real leaves; infinite logits give 0 and 1.
        key: Random key.
        temperature: Positive. Traced.

    Returns:
        A tree like logits.

    Raises:
        TypeError: If key is not a typed key.

    Differentiation: exact in logits and temperature, for the draw at hand.
    Complexity: linear.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import concrete_mask
        >>> concrete_mask(jnp.array([jnp.inf, -jnp.inf]), jax.random.key(0), temperature=0.5).tolist()
        [1.0, 0.0]

    References: [Tang2023]; [Maddison2017].
    """
    checks.typed_key("concrete_mask", key)
    numbers = {name: i for i, name in enumerate(tree.named_leaves(logits))}

    def draw(name: str, leaf: Array) -> Array:
        (leaf,) = checks.floats("concrete_mask", **{name or "logits": leaf})
        noise = jax.random.logistic(jax.random.fold_in(key, numbers[name]), leaf.shape, leaf.dtype)
        return jax.nn.sigmoid((leaf + noise) / jnp.asarray(temperature, leaf.dtype))

    return tree.map_named(draw, logits)


def concrete_merge(
    base: Params,
    stack: Params,
    logits: Params,
    weights: Float[Array, " k"],
    *,
    key: Key,
    temperature: Scalar,
    spec: SymmetrySpec | None = None,
) -> Params:
    """Adds the task vectors of several models to their base through one random mask.

    theta + m * sum_i w_i (theta_i - theta)  with a mask m from `concrete_mask` that all tasks share.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models as one tree with a leading axis of length k.
        logits: A tree like base; at infinity this is `task_arithmetic`, at minus infinity base.
        weights: What each task vector counts, [k].
        key: Random key for the mask, and for the alignment where there is a spec.
        temperature: Positive. Traced.
        spec: The symmetry of the function; if given, every model is first aligned with base by `weight_matching`.

    Returns:
        One model, a tree like base.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in all arrays, for the mask at hand.
    Complexity: linear in the parameters of all models.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import concrete_merge
        >>> logits = jnp.array([jnp.inf, -jnp.inf])
        >>> concrete_merge(jnp.zeros(2), jnp.ones((1, 2)), logits, jnp.ones(1), key=jax.random.key(0), temperature=1.0)
        Array([1., 0.], dtype=float32)

    References: [Tang2023].
    """
    checks.same_tree("concrete_merge", "logits", logits, "base", base)
    mask_key, align_key = (key, None) if spec is None else jax.random.split(key)
    whole = task_arithmetic(base, stack, weights, spec=spec, key=align_key)
    mask = concrete_mask(logits, mask_key, temperature=temperature)

    def mix(m: Array, merged: Any, start: Any) -> Any:
        return (
            jnp.where(m == 1, merged, start + m.astype(start.dtype) * (merged - start))
            if is_merged(start)
            else start
        )

    return jax.tree.map(mix, mask, whole, base)


def concrete_fit(
    base: Params,
    stack: Params,
    weights: Float[Array, " k"],
    inner_loss: Callable[[Params], Array],
    outer_loss: Callable[[Params], Array],
    *,
    key: Key,
    num_steps: int,
    learning_rate: Scalar = 1.0,
    inner_rate: Scalar = 0.1,
    temperature: Scalar = 0.5,
    spec: SymmetrySpec | None = None,
) -> ConcreteFit:
    """Learns the mask that keeps what serves all tasks, the merging weights being tuned to each mask drawn.

    A step draws a mask, moves the weights by one gradient step of `inner_loss` of the merged model, and then the logits
    by one of `outer_loss` of the model merged with those weights, differentiated through the inner step.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models as one tree with a leading axis of length k.
        weights: Where every inner step starts, [k].
        inner_loss: A scalar function of parameters for the weights, such as the entropy of predictions.
        outer_loss: A scalar function of parameters for the mask.
        key: Random key for the masks, and for the alignment where there is a spec.
        num_steps: Steps to take; static.
        learning_rate: Of the logits. Traced.
        inner_rate: Of the weights. Traced.
        temperature: Of the masks, positive. Traced.
        spec: The symmetry of the function; if given, every model is first aligned with base by `weight_matching`.

    Returns:
        ConcreteFit. Logits begin at zero: each entry is kept with probability one half.

    Raises:
        ValueError: If trees or shapes disagree, or a loss is not a scalar.

    Status: MAX_STEPS, or NONFINITE where a loss or a gradient was not finite.

    Differentiation: exact, unrolled through the steps.
    Complexity: a step costs about three gradients of each loss.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import concrete_fit
        >>> away = lambda p: jnp.sum(p**2)
        >>> tuned, key = jnp.ones((1, 1)), jax.random.key(0)
        >>> found = concrete_fit(jnp.zeros(1), tuned, jnp.ones(1), away, away, key=key, num_steps=20)
        >>> bool(found.logits[0] < 0)
        True

    References: [Tang2023].
    """
    num_steps = checks.count("concrete_fit", "num_steps", num_steps)
    checks.typed_key("concrete_fit", key)
    if spec is not None:
        align_key, key = jax.random.split(key)
        stack = aligned("concrete_fit", spec, stack, base, align_key)
    logits = jax.tree.map(lambda leaf: jnp.zeros(jnp.shape(leaf), _mask_dtype(leaf)), base)
    logits, weights = vary_with((logits, jnp.asarray(weights)), base, stack, weights, key)

    def outer(logits: Params, key: Key) -> Array:
        def merged(weights: Array) -> Params:
            return concrete_merge(base, stack, logits, weights, key=key, temperature=temperature)

        tuned = weights - inner_rate * jax.grad(lambda w: inner_loss(merged(w)))(weights)
        return outer_loss(merged(tuned))

    def step(logits: Params, key: Key) -> tuple[Params, tuple[Array, Array]]:
        loss, gradient = jax.value_and_grad(outer)(logits, key)
        moved = jax.tree.map(lambda x, g: (x - learning_rate * g).astype(x.dtype), logits, gradient)
        return moved, (loss, jnp.sqrt(tree.squared_norm(gradient)))

    logits, (losses, errors) = jax.lax.scan(step, logits, jax.random.split(key, num_steps))
    error = errors[-1] if num_steps else jnp.asarray(jnp.inf, losses.dtype)
    finite = jnp.all(jnp.isfinite(losses)) & jnp.all(jnp.isfinite(errors))
    status = jnp.where(finite, Status.MAX_STEPS, Status.NONFINITE).astype(jnp.int32)
    return ConcreteFit(logits, losses, error, jnp.asarray(num_steps, jnp.int32), status)


def _mask_dtype(leaf: Any) -> Any:
    """Real, of the leaf's precision; a leaf that is not mixed has a mask too, which nobody reads."""
    return jnp.finfo(jnp.result_type(leaf)).dtype if is_merged(leaf) else jnp.float32
