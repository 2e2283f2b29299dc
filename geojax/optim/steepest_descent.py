"""Steepest descent with a norm for each leaf's role, as an optax transformation."""

from typing import Any

import jax
import optax

from geojax.optim.norms import ModularNorm, steepest_step
from geojax.typing import PyTree, Scalar


def steepest_descent(
    learning_rate: Scalar | optax.Schedule, norms: PyTree, *, unit: bool = False
) -> optax.GradientTransformation:
    """Steepest descent under the largest of the leaves' norms, as an optax transformation.

    update = -learning_rate (sum_l |g_l|*_l) t_l,  with t_l steepest for the gradient g_l under the norm of the leaf;
    every leaf moves equally far. With `unit` the factor in brackets is left out, and each moves by learning_rate.

    Args:
        learning_rate: A number or an optax schedule; the inverse sharpness, or with `unit` the length of the steps.
        norms: Prefix tree of norms over the parameters: `SpectralNorm()` for inner matrices, `RowNorm()` for tables
            of embeddings, `MaxNorm()` for vectors.
        unit: Whether to normalise the steps. With `MaxNorm()` that is sign descent: Adam without its averages. With
            `SpectralNorm()` it is Shampoo without accumulation.

    Returns:
        GradientTransformation; put `optax.trace` or `optax.ema` before it for momentum.

    Raises:
        TypeError: If something in `norms` is no norm.
        ValueError: At trace time, if a norm of matrices meets something else.

    Differentiation: as the norms.

    Complexity: The sum of the norms' `steepest`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import MaxNorm, steepest_descent
        >>> optimiser = steepest_descent(0.1, MaxNorm(), unit=True)
        >>> updates, _ = optimiser.update(jnp.array([2.0, -3.0]), optimiser.init(jnp.zeros(2)))
        >>> [round(float(u), 3) for u in updates]
        [-0.1, 0.1]

    References: [BernsteinNewhouse2024].
    """
    norm = ModularNorm(norms)

    def direction(updates: PyTree, params: Any = None) -> Any:
        if unit:
            return norm.steepest(updates)
        return jax.tree.map(lambda d: -d, steepest_step(updates, norm))

    return optax.chain(optax.stateless(direction), optax.scale_by_learning_rate(learning_rate))
