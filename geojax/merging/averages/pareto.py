"""Pareto fronts in weight space: many trade-offs between tasks from one set of models."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from geojax._core import checks
from geojax.merging.averages.average import average
from geojax.merging.leaves import stack_size
from geojax.typing import Key, Params, Scalar

__all__ = ["hypervolume", "non_dominated", "pareto_front", "pareto_loss"]


def pareto_loss(
    stack: Params, losses: Sequence[Callable[[Params], Array]], *, key: Key, concentration: Scalar = 1.0
) -> Float[Array, ""]:
    """Loss of a random model between several, with the weights that it is made of.

    sum_i alpha_i loss_i(sum_j alpha_j theta_j)  with alpha from a Dirichlet distribution: one gradient of it trains all
    models so that each trade-off between the tasks is the average with those weights.

    Args:
        stack: One model a task as one tree with a leading axis of length k.
        losses: One scalar function of parameters a task, k of them.
        key: Random key for alpha.
        concentration: Of the Dirichlet distribution, positive: 1 is uniform, less favours the corners. Traced.

    Returns:
        Scalar, for any optax optimiser over the stack.

    Raises:
        ValueError: If there are not as many losses as models, or one does not return a scalar.

    Differentiation: exact in stack, for the alpha at hand.
    Complexity: every loss once.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.merging import pareto_loss
        >>> losses = [lambda p: jnp.sum(p**2), lambda p: jnp.sum(p**2)]
        >>> float(pareto_loss(jnp.zeros((2, 3)), losses, key=jax.random.key(0)))
        0.0

    References: [Dimitriadis2023].
    """
    checks.typed_key("pareto_loss", key)
    count = stack_size("pareto_loss", stack)
    if len(losses) != count:
        raise ValueError(
            f"pareto_loss: losses has {len(losses)} entries; expected {count}, one for each model."
        )
    dtype = jnp.finfo(
        jnp.result_type(*(leaf for leaf in jax.tree.leaves(stack) if hasattr(leaf, "dtype")))
    ).dtype
    alpha = jax.random.dirichlet(key, jnp.full(count, jnp.asarray(concentration, dtype)), dtype=dtype)
    return jnp.vdot(alpha, _values("pareto_loss", losses, average(stack, alpha)))


def pareto_front(
    stack: Params, losses: Sequence[Callable[[Params], Array]], weights: Float[Array, "n k"]
) -> Float[Array, "n t"]:
    """Losses of the averages of several models with given weights.

    Args:
        stack: The models as one tree with a leading axis of length k.
        losses: Scalar functions of parameters, t of them.
        weights: Rows of nonnegative weights, [n, k].

    Returns:
        One row of losses a row of weights, [n, t].

    Raises:
        ValueError: If shapes disagree, or a loss does not return a scalar.

    Differentiation: exact.
    Complexity: n t losses, row after row.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import pareto_front
        >>> losses = [lambda p: (p - 1.0) ** 2, lambda p: (p + 1.0) ** 2]
        >>> pareto_front(jnp.array([1.0, -1.0]), losses, jnp.array([[1.0, 0.0], [1.0, 1.0]])).tolist()
        [[0.0, 4.0], [1.0, 1.0]]

    References: [Dimitriadis2023].
    """
    count = stack_size("pareto_front", stack)
    checks.shapes("pareto_front", weights=(weights, f"n {count}"))
    return jax.lax.map(lambda row: _values("pareto_front", losses, average(stack, row)), jnp.asarray(weights))


def non_dominated(points: Float[Array, "n t"]) -> Bool[Array, " n"]:
    """Which points no other is at least as low as everywhere and lower somewhere.

    Args:
        points: Losses, [n, t].

    Returns:
        Booleans, [n]. A row with NaN is dominated.

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


def hypervolume(points: Float[Array, "n t"], reference: Float[Array, " t"]) -> Float[Array, ""]:
    """Volume of the losses that some point dominates and that dominate a reference, exactly.

    The area between the front and the reference, larger for better fronts.

    Args:
        points: Losses, [n, t]; those beyond the reference count for nothing.
        reference: The worst losses of interest, [t].

    Returns:
        Scalar >= 0.

    Raises:
        ValueError: If shapes disagree.

    Differentiation: exact where no two points exchange their order.
    Complexity: O(n log n) for t <= 2, and a factor n for each further dimension: slices along the last one.

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
    # Between two neighbours along the last axis the dominated part is that of the points below both.
    order = jnp.argsort(points[:, -1])
    points = points[order]
    heights = jnp.diff(jnp.append(points[:, -1], reference[-1]))
    if t == 2:
        return jnp.sum(heights * (reference[0] - jax.lax.cummin(points[:, 0])))

    def area(count: Array) -> Array:
        present = (jnp.arange(n) <= count)[:, None]
        return _volume(jnp.where(present, points[:, :-1], reference[:-1]), reference[:-1])

    return jnp.sum(heights * jax.vmap(area)(jnp.arange(n)))


def _values(where: str, losses: Sequence[Callable[[Params], Array]], params: Params) -> Array:
    values = [loss(params) for loss in losses]
    checks.shapes(where, **{f"losses[{i}](params)": (value, "") for i, value in enumerate(values)})
    return jnp.stack(values)
