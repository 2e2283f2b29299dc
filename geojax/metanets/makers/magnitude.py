"""Hypernetworks whose output has the same scale whatever their input."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.typing import Params, PyTree


@rounded_once
def constant_norm_encoding(gamma: Float[Array, "*shape"]) -> Float[Array, "*shape 2"]:
    """Encodes numbers between 0 and 1 by points of a quarter circle, so that the code has one norm for all of them.

    code = (cos(pi gamma / 2), sin(pi gamma / 2)),  |code| = 1 for each number

    Args:
        gamma: Hyperparameters between 0 and 1, any shape. Beyond, codes repeat with period 4.

    Returns:
        Codes, with one more axis of length 2.

    Differentiation: exact.
    Complexity: O(size).

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> gj.metanets.constant_norm_encoding(jnp.array([0.0, 1.0])).round(3).tolist()
        [[1.0, 0.0], [-0.0, 1.0]]

    References: [Ortiz2024], Sec. 4
    """
    (gamma,) = checks.floats("constant_norm_encoding(gamma)", gamma=gamma)
    angle = gamma * (jnp.pi / 2)
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def hypernetwork(
    h: Callable[[Any, Array], Params],
    theta0: Params,
    *,
    encode: Callable[[Array], Array] = constant_norm_encoding,
) -> Callable[[Any, Array], Params]:
    """A hypernetwork as a change of base weights, whose scale does not depend on that of its input.

    theta(gamma) = theta0 + h(phi, encode(gamma))

    A network h without offsets and with piecewise linear activations is homogeneous: weights and gradients grow in
    proportion to its input. The encoding has constant norm and removes that; the residual form starts at theta0 where
    h starts at zero. To learn theta0 too, call `hypernetwork` inside the loss.

    Args:
        h: A function h(phi, code) of its own weights and of the code as a vector, which returns a tree like theta0.
        theta0: Base weights of the target network.
        encode: The encoding of gamma; ``lambda gamma: gamma`` leaves it as it is.

    Returns:
        apply(phi, gamma) -> a tree like theta0, for hyperparameters gamma of any shape.

    Raises:
        TypeError: If h or encode is no function, or theta0 has leaves that are no arrays.
        ValueError: If h returns other leaves than theta0 has.

    Differentiation: exact in phi, gamma and theta0.
    Complexity: that of h.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> theta0 = {"w": jnp.ones(3)}
        >>> apply = gj.metanets.hypernetwork(lambda phi, code: {"w": phi @ code}, theta0)
        >>> apply(jnp.zeros((3, 2)), jnp.array(0.5))["w"].tolist()
        [1.0, 1.0, 1.0]

    References: [Ortiz2024], Sec. 4
    """
    where = "hypernetwork(h, theta0)"
    checks.function(where, "h", h, "Pass h(phi, code), which returns a tree like theta0.")
    checks.function(where, "encode", encode, "Write lambda gamma: gamma for no encoding.")
    checks.arrays_only(where, "theta0", theta0)

    @rounded_once
    def run(phi: PyTree, gamma: Array, base: Params) -> Params:
        change = h(phi, jnp.ravel(encode(jnp.asarray(gamma))))
        checks.same_tree(where, "h(phi, code)", change, "theta0", base)
        return jax.tree.map(jnp.add, base, change)

    def apply(phi: PyTree, gamma: Array) -> Params:
        return run(phi, gamma, theta0)

    return apply
