"""Momentum without its radial part for scale-invariant weights (AdamP and SGDP), and weight normalisation."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.typing import PyTree, Scalar

Weight = Float[Array, "*shape"]


@rounded_once
def project_radial(update: Weight, gradient: Weight, weight: Weight, *, delta: Scalar = 0.1) -> Weight:
    """Take the radial part out of an update if the weight is scale-invariant.

    A loss that does not depend on |w| has <w, gradient> = 0. So, if max_c |cos(w_c, gradient_c)| <= delta / sqrt(dim
    w_c),

        update_c <- update_c - <w_c, update_c> w_c / |w_c|^2,

    the projection onto the tangent space of the sphere of w_c, for the channels c (slices of the last axis). Otherwise
    the whole weight is tested and projected in the same way; if it fails the test too, the update is unchanged.

    Args:
        update: The step to take, up to its sign, [..., channels].
        gradient: Gradient at the weight, from which the test is computed.
        weight: w, of rank 2 or more. For vectors and scalars (biases, gains) the update is unchanged.
        delta: Cosine times the root of the dimension that counts as zero. Traced.

    Returns:
        Array shaped like the update.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact in update, with the outcome of the test held constant.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import project_radial
        >>> w, gradient = jnp.array([[3.0], [4.0]]), jnp.array([[4.0], [-3.0]])
        >>> print(project_radial(jnp.array([[1.0], [1.0]]), gradient, w).round(2).ravel())
        [ 0.16 -0.12]

    References: [Heo2021], Alg. 1.
    """
    update, gradient, weight = checks.floats(
        "project_radial", update=update, gradient=gradient, weight=weight
    )
    words = " ".join(map(str, update.shape))
    checks.shapes(
        "project_radial", update=(update, words), gradient=(gradient, words), weight=(weight, words)
    )
    if weight.ndim < 2:
        return update
    rows = (weight.shape[-1], -1)
    u, g, w = (jnp.moveaxis(a, -1, 0).reshape(rows) for a in (update, gradient, weight))
    by_channel, channels = _projected(u, g, w, delta)
    whole, layer = _projected(u.reshape(1, -1), g.reshape(1, -1), w.reshape(1, -1), delta)
    # If a test neither passes nor fails, it is NaN, and so is the result.
    flat = jnp.where(layer > 0, u, jnp.nan)
    flat = jnp.where(layer <= 0, whole.reshape(by_channel.shape), flat)
    flat = jnp.where(channels <= 0, by_channel, flat)
    return jnp.moveaxis(flat.reshape(weight.shape[-1], *weight.shape[:-1]), 0, -1)


def scale_by_adamp(
    *, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8, delta: Scalar = 0.1, nesterov: bool = False
) -> optax.GradientTransformationExtraArgs:
    """Adam's rescaling without the radial part that momentum adds to scale-invariant weights.

    update = project_radial(m^ / (sqrt(v^) + eps), gradient, w),  with the moments of Adam.

    Args:
        b1: Decay of the first moment.
        b2: Decay of the second moment.
        eps: Added to the root of the second moment.
        delta: As for `project_radial`.
        nesterov: Whether to use Nesterov's form of the first moment.

    Returns:
        GradientTransformationExtraArgs with the state of `optax.scale_by_adam`; `update` needs `params`.

    Raises:
        ValueError: If `update` is called without `params`.

    Differentiation: exact, with the outcome of the test of `project_radial` held constant.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from geojax.optim import scale_by_adamp
        >>> optimiser = optax.chain(scale_by_adamp(), optax.scale_by_learning_rate(0.1))
        >>> w = jnp.array([[3.0], [4.0]])
        >>> updates, _ = optimiser.update(jnp.array([[4.0], [-3.0]]), optimiser.init(w), w)
        >>> bool(abs(jnp.vdot(updates, w)) < 1e-6)
        True

    References: [Heo2021].
    """
    return _without_radial("scale_by_adamp", optax.scale_by_adam(b1, b2, eps, nesterov=nesterov), delta)


def scale_by_sgdp(
    *, momentum: Scalar = 0.9, delta: Scalar = 0.1, nesterov: bool = False
) -> optax.GradientTransformationExtraArgs:
    """Momentum without the radial part that it adds to scale-invariant weights.

    p <- momentum p + gradient,   update = project_radial(p, gradient, w).

    With it |w|^2 grows by rate^2 |update|^2 a step; without, by rate^2 (|p_t|^2 + 2 sum_(k<t) momentum^(t-k) |p_k|^2).

    Args:
        momentum: Decay, in [0, 1).
        delta: As for `project_radial`.
        nesterov: Whether to use Nesterov's form.

    Returns:
        GradientTransformationExtraArgs with the state of `optax.trace`; `update` needs `params`.

    Raises:
        ValueError: If `update` is called without `params`.

    Differentiation: exact, with the outcome of the test of `project_radial` held constant.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import scale_by_sgdp
        >>> optimiser, w = scale_by_sgdp(momentum=0.5), jnp.array([[3.0], [4.0]])
        >>> updates, _ = optimiser.update(jnp.array([[4.0], [-3.0]]), optimiser.init(w), w)
        >>> round(float(jnp.vdot(updates, w)), 4)
        0.0

    References: [Heo2021].
    """
    return _without_radial("scale_by_sgdp", optax.trace(momentum, nesterov), delta)


@rounded_once
def weight_norm(
    direction: Float[Array, "*shape channels"], scale: Float[Array, " channels"]
) -> Float[Array, "*shape channels"]:
    """Weight normalisation: each channel is a length times a point of the sphere.

    w_c = scale_c v_c / |v_c|.  The gradient with respect to v_c is scale_c / |v_c| times the tangent part at v_c /
    |v_c| of the gradient with respect to w_c. So a step of gradient descent on v_c is a retracted step on the sphere,
    with rate scale_c^2 / |v_c|^2.

    Args:
        direction: v, [..., channels]; no channel is zero.
        scale: Lengths, [channels].

    Returns:
        Weight [..., channels]. A channel whose v is zero is NaN.

    Raises:
        ValueError: At trace time, if the numbers of channels differ.

    Differentiation: exact.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import weight_norm
        >>> round(float(weight_norm(jnp.array([[3.0], [4.0]]), jnp.array([2.0]))[0, 0]), 4)
        1.2

    References: [SalimansKingma2016].
    """
    direction, scale = checks.floats("weight_norm", direction=direction, scale=scale)
    checks.shapes(
        "weight_norm",
        direction=(direction, "_ " * (direction.ndim - 1) + "channels"),
        scale=(scale, "channels"),
    )
    lengths = jax.vmap(safe.norm, in_axes=-1)(direction)
    return direction * (scale / lengths)


def _without_radial(
    where: str, inner: optax.GradientTransformation, delta: Scalar
) -> optax.GradientTransformationExtraArgs:
    extended = optax.with_extra_args_support(inner)

    def init(params: PyTree) -> Any:
        checks.arrays_only(where, "params", params)
        return extended.init(params)

    def update(updates: PyTree, state: Any, params: PyTree | None = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                f"{where}: params is None; expected the parameters, whose directions are projected out. "
                "Call update(gradients, state, params)."
            )
        scaled, state = extended.update(updates, state, params, **extra)
        return jax.tree.map(
            lambda u, g, w: project_radial(u, g, w, delta=delta), scaled, updates, params
        ), state

    return optax.GradientTransformationExtraArgs(init, update)


def _projected(update: Array, gradient: Array, weight: Array, delta: Scalar) -> tuple[Array, Array]:
    """The update without its part along the weight, row by row; and by how much the worst row fails the test."""
    lengths, sizes = jax.vmap(safe.norm)(weight), jax.vmap(safe.norm)(gradient)
    products = jnp.abs(jnp.sum(weight * gradient, axis=1))
    excess = jnp.max(products - delta / jnp.sqrt(weight.shape[1]) * lengths * sizes)
    unit = weight / jnp.where(lengths == 0, 1, lengths)[:, None]
    return update - unit * jnp.sum(unit * update, axis=1, keepdims=True), excess
