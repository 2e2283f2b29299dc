"""Concrete subspaces: a random mask, shared by all tasks, that keeps the entries that do not interfere."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, tree
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.merging.aligned import WeightMatching, aligned
from geojax.merging.leaves import coefficients, is_merged, merged_only, split_merged, stack_size
from geojax.merging.tasks.task_vectors import task_arithmetic
from geojax.results import Status
from geojax.typing import Key, Params, Scalar

__all__ = ["ConcreteFit", "concrete_fit", "concrete_mask", "concrete_merge"]


@struct
class ConcreteFit:
    """A learnt mask.

    Attributes:
        logits: Logits of the mask, a tree like the base model.
        losses: The outer loss at each step, [num_steps].
        error: Norm of the last gradient with respect to the logits.
        num_steps: Steps taken.
        status: MAX_STEPS or NONFINITE; a stochastic descent has no test of convergence.
    """

    logits: Any
    losses: Float[Array, " steps"]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def concrete_mask(logits: Params, *, key: Key, temperature: Scalar) -> Params:
    """Draws a mask with entries between 0 and 1 from the binary Concrete distribution.

    sigmoid((logit + log u - log(1 - u)) / temperature)  with u uniform. At every temperature an entry is above 1/2 with
    probability sigmoid(logit); the lower the temperature, the closer entries are to 0 and 1.

    Args:
        logits: A tree of real leaves; infinite logits give 0 and 1. Leaves that are not merged (integers, what is no
            array) are carried through.
        key: Random key.
        temperature: Positive. Traced.

    Returns:
        A tree like logits.

    Raises:
        TypeError: If key is not a typed key, a leaf is complex, or none is real.

    Differentiation: exact in logits and temperature, for the numbers that were drawn.
    Complexity: linear.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import concrete_mask
        >>> concrete_mask(jnp.array([jnp.inf, -jnp.inf]), key=jax.random.key(0), temperature=0.5).tolist()
        [1.0, 0.0]

    References: [Tang2023]; [Maddison2017].
    """
    checks.typed_key("concrete_mask", key)
    leaves = tree.named_leaves(logits)
    if leaves and not any(map(is_merged, leaves.values())):
        name, leaf = next(iter(leaves.items()))
        raise TypeError(
            f"concrete_mask: {checks.leaf_of('logits', name)} is {checks.described(leaf)}, and no other leaf is real; "
            "expected real numbers. Cast them with .astype."
        )
    numbers = {name: i for i, name in enumerate(leaves)}

    def draw(name: str, leaf: Any) -> Any:
        if not is_merged(leaf):
            return leaf
        (leaf,) = checks.floats("concrete_mask", **{checks.leaf_of("logits", name): leaf})
        noise = jax.random.logistic(jax.random.fold_in(key, numbers[name]), leaf.shape, leaf.dtype)
        return jax.nn.sigmoid((leaf + noise) / jnp.asarray(temperature, leaf.dtype))

    return tree.map_named(draw, logits)


@rounded_once
def concrete_merge(
    base: Params,
    stack: Params,
    logits: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    key: Key,
    temperature: Scalar,
    align: WeightMatching | None = None,
) -> Params:
    """Adds the task vectors of several models to their base through one random mask.

    theta + m * sum_i w_i (theta_i - theta),  where m is a mask from `concrete_mask` that all tasks share.

    Args:
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models, a list of k, or one tree with a leading axis of length k.
        logits: Logits of the mask, a tree like base; infinity gives `task_arithmetic`, minus infinity gives base.
        weights: How much each task vector counts, [k]. If None, 1 each.
        key: Random key for the mask.
        temperature: Positive. Traced.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto base.

    Returns:
        One model, a tree like base.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in all arrays, for the mask that was drawn.
    Complexity: linear in the parameters of all models.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import concrete_merge
        >>> logits = jnp.array([jnp.inf, -jnp.inf])
        >>> concrete_merge(jnp.zeros(2), jnp.ones((1, 2)), logits, key=jax.random.key(0), temperature=1.0)
        Array([1., 0.], dtype=float32)

    References: [Tang2023].
    """
    checks.same_tree("concrete_merge", "logits", _where_merged(logits, base), "base", merged_only(base))
    merged = task_arithmetic(base, stack, weights, align=align)
    mask = concrete_mask(logits, key=key, temperature=temperature)

    def mix(start: Any, merged: Any, m: Any) -> Any:
        if not is_merged(start):
            return start
        return jnp.where(m == 1, merged, start + m.astype(jnp.result_type(start)) * (merged - start))

    return jax.tree.map(mix, base, merged, mask)


@rounded_once
def concrete_fit(
    inner_loss: Callable[[Params], Array],
    outer_loss: Callable[[Params], Array],
    base: Params,
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    *,
    key: Key,
    num_steps: int,
    learning_rate: Scalar = 1.0,
    inner_rate: Scalar = 0.1,
    temperature: Scalar = 0.5,
    align: WeightMatching | None = None,
) -> ConcreteFit:
    """Learns a mask that keeps the entries that serve all tasks.

    Each step draws a mask and merges with it. It then moves the weights by one gradient step of `inner_loss` of the
    merged model, and the logits by one gradient step of `outer_loss` of the model merged with the moved weights. The
    second gradient is taken through the first step.

    Args:
        inner_loss: The loss for the weights, a scalar function of parameters, such as the entropy of predictions.
        outer_loss: The loss for the mask, a scalar function of parameters.
        base: The model that all were fine-tuned from.
        stack: The fine-tuned models, a list of k, or one tree with a leading axis of length k.
        weights: The weights that every inner step starts from, [k]. If None, 1 each.
        key: Random key for the masks.
        num_steps: Number of steps to take; static.
        learning_rate: Learning rate of the logits. Traced.
        inner_rate: Learning rate of the weights. Traced.
        temperature: Temperature of the masks, positive. Traced.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto base.

    Returns:
        ConcreteFit. Logits begin at zero: each entry is kept with probability one half. Leaves of base that are not
        merged stand in the logits as they are.

    Raises:
        ValueError: If trees or shapes disagree, or a loss is not a scalar.

    Status: MAX_STEPS, or NONFINITE if a loss or a gradient was not finite.

    Differentiation: exact, unrolled through the steps.
    Complexity: about three gradients of each loss in each step.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import concrete_fit
        >>> away = lambda p: jnp.sum(p**2)
        >>> base, tuned = jnp.zeros(1), jnp.ones((1, 1))
        >>> fit = concrete_fit(away, away, base, tuned, key=jax.random.key(0), num_steps=20)
        >>> bool(fit.logits[0] < 0)
        True

    References: [Tang2023].
    """
    num_steps = checks.count("concrete_fit", "num_steps", num_steps)
    checks.typed_key("concrete_fit", key)
    stack = aligned("concrete_fit", align, stack, base)
    weights = coefficients("concrete_fit", weights, stack_size("concrete_fit", stack))
    numbers, whole = split_merged(base)
    logits = [jnp.zeros(jnp.shape(leaf), jnp.finfo(jnp.result_type(leaf)).dtype) for leaf in numbers]
    logits, weights = vary_with((logits, weights), merged_only(base), merged_only(stack), weights, key)

    def outer(logits: list[Array], key: Key) -> Array:
        def merged(weights: Array) -> Params:
            return concrete_merge(base, stack, whole(logits), weights, key=key, temperature=temperature)

        tuned = weights - inner_rate * jax.grad(lambda w: inner_loss(merged(w)))(weights)
        return outer_loss(merged(tuned))

    def step(logits: list[Array], key: Key) -> tuple[list[Array], tuple[Array, Array]]:
        loss, gradient = jax.value_and_grad(outer)(logits, key)
        moved = jax.tree.map(lambda x, g: (x - learning_rate * g).astype(x.dtype), logits, gradient)
        return moved, (loss, jnp.sqrt(tree.squared_norm(gradient)))

    logits, (losses, errors) = jax.lax.scan(step, logits, jax.random.split(key, num_steps))
    error = errors[-1] if num_steps else jnp.asarray(jnp.inf, losses.dtype)
    finite = jnp.all(jnp.isfinite(losses)) & jnp.all(jnp.isfinite(errors))
    status = jnp.where(finite, Status.MAX_STEPS, Status.NONFINITE).astype(jnp.int32)
    return ConcreteFit(whole(logits), losses, error, jnp.asarray(num_steps, jnp.int32), status)


def _where_merged(logits: Params, base: Params) -> Params:
    """The logits with None in place of those of leaves that are not merged."""
    if jax.tree.structure(logits) != jax.tree.structure(base):
        return logits
    return jax.tree.map(lambda leaf, start: leaf if is_merged(start) else None, logits, base)
