"""Pareto fronts in weight space: many trade-offs between tasks from a few models."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.merging.averages.average import weighted_mean
from geojax.merging.leaves import as_stack, merged_only, stack_size
from geojax.typing import Key, Params, Scalar

__all__ = ["hypervolume", "non_dominated", "pareto_front", "pareto_loss"]


@rounded_once
def pareto_loss(
    losses: Sequence[Callable[[Params], Array]], stack: Params, *, key: Key, concentration: Scalar = 1.0
) -> Float[Array, ""]:
    """Loss of a random average of models, one for each task, with the tasks weighted as their models are.

    sum_i alpha_i loss_i(sum_j alpha_j theta_j)  with alpha from a Dirichlet distribution. Its gradient trains all
    models at once, so that their average with weights alpha solves the tasks with the trade-off alpha.

    Args:
        losses: One scalar function of parameters for each task, k of them.
        stack: One model for each task, a list of k, or one tree with a leading axis of length k.
        key: Random key for alpha.
        concentration: Of the Dirichlet distribution, positive: 1 is uniform, less favours the corners. Traced.

    Returns:
        Scalar, to be minimised over the stack by any optax optimiser.

    Raises:
        ValueError: If there are not as many losses as models, or one does not return a scalar.

    Differentiation: exact in stack, for the alpha that was drawn.
    Complexity: one evaluation of each loss.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import pareto_loss
        >>> losses = [lambda p: jnp.sum(p**2), lambda p: jnp.sum(p**2)]
        >>> float(pareto_loss(losses, jnp.zeros((2, 3)), key=jax.random.key(0)))
        0.0

    References: [Dimitriadis2023].
    """
    checks.typed_key("pareto_loss", key)
    _check_losses("pareto_loss", losses)
    stack = as_stack("pareto_loss", stack)
    count = stack_size("pareto_loss", stack)
    if len(losses) != count:
        raise ValueError(
            f"pareto_loss: losses has {len(losses)} entries; expected {count}, one for each model."
        )
    dtype = jnp.finfo(jnp.result_type(*jax.tree.leaves(merged_only(stack)))).dtype
    alpha = jax.random.dirichlet(key, jnp.full(count, jnp.asarray(concentration, dtype)), dtype=dtype)
    return jnp.vdot(alpha, _values("pareto_loss", losses, weighted_mean(stack, alpha)))


@rounded_once
def pareto_front(
    losses: Sequence[Callable[[Params], Array]], stack: Params, weights: Float[Array, "n k"]
) -> Float[Array, "n t"]:
    """Losses of the averages of several models with given weights.

    Args:
        losses: Scalar functions of parameters, t of them.
        stack: The models, a list of k, or one tree with a leading axis of length k.
        weights: Rows of nonnegative weights, [n, k].

    Returns:
        One row of losses for each row of weights, [n, t].

    Raises:
        ValueError: If shapes disagree, or a loss does not return a scalar.

    Differentiation: exact.
    Complexity: n t evaluations of losses, one row after another.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import pareto_front
        >>> losses = [lambda p: (p - 1.0) ** 2, lambda p: (p + 1.0) ** 2]
        >>> pareto_front(losses, jnp.array([1.0, -1.0]), jnp.array([[1.0, 0.0], [1.0, 1.0]])).tolist()
        [[0.0, 4.0], [1.0, 1.0]]

    References: [Dimitriadis2023].
    """
    _check_losses("pareto_front", losses)
    stack = as_stack("pareto_front", stack)
    count = stack_size("pareto_front", stack)
    (weights,) = checks.floats("pareto_front", weights=weights)
    checks.shapes("pareto_front", weights=(weights, f"n {count}"))
    return jax.lax.map(lambda row: _values("pareto_front", losses, weighted_mean(stack, row)), weights)


def non_dominated(points: Float[Array, "n t"]) -> Bool[Array, " n"]:
    """Which points are not dominated: no other point is lower in one coordinate and at most equal in all.

    Args:
        points: Losses, [n, t].

    Returns:
        Booleans, [n]. A row with NaN counts as dominated.

    Raises:
        ValueError: If points is not a matrix.

    Differentiation: none.
    Complexity: O(n^2 t).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import non_dominated
        >>> non_dominated(jnp.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
        [True, True, False]

    References: [Dimitriadis2023].
    """
    (points,) = checks.floats("non_dominated", points=points)
    checks.shapes("non_dominated", points=(points, "n t"))
    one, other = points[:, None], points[None, :]
    beaten = jnp.all(other <= one, axis=-1) & jnp.any(other < one, axis=-1)
    return ~jnp.any(beaten, axis=1) & ~jnp.any(jnp.isnan(points), axis=1)


@rounded_once
def hypervolume(points: Float[Array, "n t"], reference: Float[Array, " t"]) -> Float[Array, ""]:
    """Volume between a front of losses and a reference point, exactly; larger for better fronts.

    It is the volume of the set of losses that are dominated by some point and that dominate the reference.

    Args:
        points: Losses, [n, t]; points beyond the reference add nothing.
        reference: The worst losses of interest, [t].

    Returns:
        Scalar >= 0.

    Raises:
        ValueError: If shapes disagree.

    Differentiation: exact as long as the points keep their order in each coordinate.
    Complexity: O(n log n) for t <= 2, times n for each further dimension.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import hypervolume
        >>> float(hypervolume(jnp.array([[0.0, 2.0], [1.0, 0.0]]), jnp.array([3.0, 3.0])))
        7.0

    References: [Zitzler1999].
    """
    points, reference = checks.floats("hypervolume", points=points, reference=reference)
    checks.shapes("hypervolume", points=(points, "n t"), reference=(reference, "t"))
    poisoned = 0 * jnp.sum(points) + 0 * jnp.sum(reference)
    return _volume(jnp.minimum(points, reference), reference) + poisoned


def _volume(points: Array, reference: Array) -> Array:
    n, t = points.shape
    if n == 0:
        return jnp.zeros((), points.dtype)
    if t == 1:
        return reference[0] - jnp.min(points)
    # Slices along the last axis: between two neighbours the dominated part is that of the points below both.
    order = jnp.argsort(points[:, -1])
    points = points[order]
    heights = jnp.diff(jnp.append(points[:, -1], reference[-1]))
    if t == 2:
        return jnp.sum(heights * (reference[0] - jax.lax.cummin(points[:, 0])))

    def area(count: Array) -> Array:
        present = (jnp.arange(n) <= count)[:, None]
        return _volume(jnp.where(present, points[:, :-1], reference[:-1]), reference[:-1])

    return jnp.sum(heights * jax.vmap(area)(jnp.arange(n)))


def _check_losses(where: str, losses: Any) -> None:
    if not isinstance(losses, list | tuple) or not all(map(callable, losses)):
        raise TypeError(
            f"{where}: losses is {checks.described(losses)}; expected a list of functions of parameters. "
            f"Call {where}([loss, ...], stack, ...)."
        )


def _values(where: str, losses: Sequence[Callable[[Params], Array]], params: Params) -> Array:
    values = [loss(params) for loss in losses]
    checks.shapes(where, **{f"losses[{i}](params)": (value, "") for i, value in enumerate(values)})
    return jnp.stack(values)
