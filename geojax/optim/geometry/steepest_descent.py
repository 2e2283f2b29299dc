"""Dual norms and steepest steps; steepest descent with a norm for each leaf, as an optax transformation."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.optim.arguments import check_learning_rate
from geojax.optim.geometry.norms import ModularNorm, Norm
from geojax.typing import PyTree, Scalar


@rounded_once
def dual_norm(g: PyTree, norm: Norm) -> Float[Array, ""]:
    """Dual norm of a gradient: how much a step of length 1 can change the function, to first order.

    |g|* = max <g, t> over |t| <= 1.

    Args:
        g: Gradient, an array or a tree as `norm` takes it.
        norm: The norm of the steps, a value such as `SpectralNorm()`.

    Returns:
        Scalar >= 0, in units of the gradient.

    Raises:
        ValueError: At trace time, if the norm is for matrices and g is not one.
        TypeError: If `norm` is not a norm.

    Differentiation: as `norm.steepest`.

    Complexity: That of `norm.steepest`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import MaxNorm, dual_norm
        >>> float(dual_norm(jnp.array([1.0, -2.0]), MaxNorm()))
        3.0

    References: [BernsteinNewhouse2024].
    """
    _check_norm("dual_norm", norm)
    g = checks.float_leaves("dual_norm", "g", g)
    return _paired(g, norm.steepest(g))


@rounded_once
def steepest_step(g: PyTree, norm: Norm, *, sharpness: Scalar = 1.0) -> Any:
    """The step that minimises a linear function plus the squared norm of the step.

    d = argmin <g, d> + (sharpness / 2) |d|^2 = -(|g|* / sharpness) t,  t steepest for g;  <g, d> = -|g|*^2 / sharpness.

    Args:
        g: Gradient, an array or a tree as `norm` takes it.
        norm: The norm of the steps, a value such as `SpectralNorm()`.
        sharpness: > 0, in units of gradient per unit of step; the inverse of a learning rate. Traced.

    Returns:
        The step, shaped like g; if several are equally good, one of them.

    Raises:
        ValueError: At trace time, if the norm is for matrices and g is not one.
        TypeError: If `norm` is not a norm.

    Differentiation: as `norm.steepest`.

    Complexity: That of `norm.steepest`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import MaxNorm, steepest_step
        >>> steepest_step(jnp.array([1.0, -2.0]), MaxNorm(), sharpness=3.0).tolist()
        [-1.0, 1.0]

    References: [BernsteinNewhouse2024], proposition 1.
    """
    _check_norm("steepest_step", norm)
    g = checks.float_leaves("steepest_step", "g", g)
    direction = norm.steepest(g)
    size = _paired(g, direction)
    return jax.tree.map(lambda t: (-size / sharpness * t).astype(t.dtype), direction)


def steepest_descent(
    learning_rate: Scalar | optax.Schedule, norms: PyTree, *, unit: bool = False
) -> optax.GradientTransformation:
    """Steepest descent under the largest of the leaves' norms, as an optax transformation.

    update = -learning_rate (sum_l |g_l|*_l) t_l,  where t_l is the steepest step for the gradient g_l under the norm of
    the leaf. All leaves move equally far. With `unit` the factor in brackets is left out, and each moves by
    learning_rate.

    Args:
        learning_rate: A number or an optax schedule; the inverse sharpness, or with `unit` the length of the steps.
        norms: Prefix tree of norms over the parameters: `SpectralNorm()` for inner matrices, `RowNorm()` for tables
            of embeddings, `MaxNorm()` for vectors.
        unit: Whether to normalise the steps. With `MaxNorm()` that is sign descent: Adam without its averages. With
            `SpectralNorm()` it is Shampoo without accumulation.

    Returns:
        GradientTransformation; put `optax.trace` or `optax.ema` before it for momentum.

    Raises:
        TypeError: If something in `norms` is not a norm, or a parameter is not an array of numbers.
        ValueError: If `norms` is not a prefix of the parameters; at trace time, if a norm for matrices is applied to
            another array.

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
    check_learning_rate("steepest_descent", learning_rate)
    norm = ModularNorm(norms)

    def direction(updates: PyTree, params: Any = None) -> Any:
        updates = checks.float_leaves("steepest_descent", "gradients", updates)
        if unit:
            return norm.steepest(updates)
        return jax.tree.map(lambda d: -d, steepest_step(updates, norm))

    return optax.chain(optax.stateless(direction), optax.scale_by_learning_rate(learning_rate))


def _check_norm(where: str, norm: Any) -> None:
    if isinstance(norm, type) or not isinstance(norm, Norm):
        raise TypeError(
            f"{where}: norm is {checks.described(norm)}; expected a norm. Call {where}(g, norm) with an "
            "instance, such as MaxNorm()."
        )


def _paired(g: Any, t: Any) -> Array:
    return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(g), jax.tree.leaves(t)))  # type: ignore[return-value]
