"""Layerwise linear feature connectivity: whether interpolated weights have interpolated features."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import safe
from geojax._core.precision import rounded_once
from geojax.merging.paths.connectivity import interpolate
from geojax.symmetry import SymmetrySpec, collect
from geojax.typing import Params, Scalar

__all__ = ["feature_connectivity"]


def feature_connectivity(
    spec: SymmetrySpec,
    apply: Callable[..., Any],
    params_a: Params,
    params_b: Params,
    *inputs: Any,
    t: Scalar = 0.5,
) -> dict[str, Float[Array, ""]]:
    """Cosine between the features of an interpolated model and the interpolated features, layer by layer.

    For each group the mean over samples of  cos(f(theta_t), (1 - t) f(theta_a) + t f(theta_b)).  Here f are the
    activations that `symmetry.collect` reads, and theta_t is the model at t on the segment from a to b. If all cosines
    are 1 the models are linearly connected layer by layer, and then the barrier between them is low.

    Args:
        spec: The symmetry of the function, from `infer`.
        apply: The function, ``apply(params, *inputs)``.
        params_a: The model at t = 0.
        params_b: The model at t = 1, usually already aligned with params_a.
        inputs: The rest of apply's arguments, [samples, ...].
        t: Time, a scalar.

    Returns:
        {group name: cosine} for the groups that have activations. A sample whose activations are all zero counts as 0.

    Raises:
        ValueError: If a tree does not fit the spec, or t is not a scalar.
        TypeError: If leaves differ in dtype.

    Differentiation: exact in params, inputs and t.
    Complexity: three evaluations of ``apply``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax import merging, symmetry
        >>> mlp = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params, x = [jnp.ones((2, 3)), jnp.ones((3, 1))], jnp.ones((5, 2))
        >>> spec = symmetry.infer(mlp, params, x)
        >>> cosines = merging.feature_connectivity(spec, mlp, params, params, x)
        >>> [round(float(value), 6) for value in cosines.values()]
        [1.0]

    References: [Zhou2023].
    """
    middle = interpolate(params_a, params_b, t)
    at_a, at_b, between = (collect(spec, apply, params, *inputs) for params in (params_a, params_b, middle))
    return {name: _cosine_between(at_a[name], between[name], at_b[name], t) for name in between}


@rounded_once
def _cosine_between(at_a: Array, between: Array, at_b: Array, t: Scalar) -> Float[Array, ""]:
    """The mean cosine between the activations of the interpolated model and the interpolated activations."""
    x, y = between, (1 - t) * at_a + t * at_b
    x, y = (jnp.reshape(each, (each.shape[0], -1)) for each in (x, y))
    product = jnp.sum(x * y, axis=1)
    squares = jnp.sum(x * x, axis=1) * jnp.sum(y * y, axis=1)
    return jnp.mean(
        jnp.where(squares > 0, product / safe.sqrt(jnp.where(squares > 0, squares, 1)), 0 * squares)
    )
