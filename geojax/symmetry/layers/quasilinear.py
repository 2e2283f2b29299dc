"""A convolutional block with a continuous symmetry: one step of a quasi-linear first-order system.

u_t = sum over directions d of A_d(u) du/dx_d, where the matrix A_d(u) is linear in u. No operation depends on
the basis of the channels, so GL(c) acts on the weights without changing the function. A pointwise nonlinearity would
break this symmetry.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core.precision import rounded_once
from geojax.typing import Params, Scalar


@rounded_once
def quasilinear_block(
    u: Float[Array, "h w c"], tensor: Float[Array, "2 c c c"], *, step: Scalar = 1.0
) -> Array:
    """One explicit step of the quasi-linear system on a periodic grid.

    u'[o] = u[o] + step * sum over d, i, k of tensor[d, o, i, k] u[k] (D_d u)[i],  D_d the central difference along d

    Args:
        u: Features, [height, width, channels].
        tensor: A, [2, channels, channels, channels].
        step: Time step.

    Returns:
        Features of the same shape.

    Differentiation: exact.
    Complexity: O(h w c^3).

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> u = jnp.arange(8.0).reshape(2, 2, 2)
        >>> bool(jnp.array_equal(gj.symmetry.layers.quasilinear_block(u, jnp.zeros((2, 2, 2, 2))), u))
        True

    References: [Liu2023]
    """
    slopes = jnp.stack([(jnp.roll(u, -1, axis) - jnp.roll(u, 1, axis)) / 2 for axis in (0, 1)])
    return u + step * jnp.einsum("doik,hwk,dhwi->hwo", tensor, u, slopes)


@rounded_once
def gauge_act(params: Params, g: Float[Array, "c c"]) -> Params:
    """Moves an encoder, quasi-linear blocks and a decoder by one change of basis of the channels.

    encode [in, c] -> encode g^T,  tensor -> g tensor (g^-1, g^-1),  decode [c, out] -> g^-T decode

    Args:
        params: {"encode": [in, c], "tensors": [blocks, 2, c, c, c], "decode": [c, out]}.
        g: An invertible matrix, [c, c].

    Returns:
        A dict like params that parametrises the same function; other entries are those of params.

    Differentiation: exact.
    Complexity: O(c^4) for each block.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> params = {"encode": jnp.ones((1, 2)), "tensors": jnp.ones((1, 2, 2, 2, 2)), "decode": jnp.ones((2, 1))}
        >>> gj.symmetry.layers.gauge_act(params, 2 * jnp.eye(2))["decode"].ravel().tolist()
        [0.5, 0.5]

    References: [Liu2023]
    """
    back = jnp.linalg.inv(g)
    return {
        **params,
        "encode": params["encode"] @ g.T,
        "tensors": jnp.einsum("po,bdoik,iq,kr->bdpqr", g, params["tensors"], back, back),
        "decode": back.T @ params["decode"],
    }


@rounded_once
def gauge_orbit(params: Params, direction: Float[Array, "c c"], t: Scalar) -> Params:
    """A point of the orbit of `gauge_act` along a one-parameter group.

    gauge_act(params, exp(t X))

    Args:
        params: As for `gauge_act`.
        direction: X, any matrix [c, c].
        t: Time along the orbit.

    Returns:
        A dict like params that parametrises the same function; other entries are those of params.

    Differentiation: exact.
    Complexity: O(c^4) for each block.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> params = {"encode": jnp.ones((1, 2)), "tensors": jnp.ones((1, 2, 2, 2, 2)), "decode": jnp.ones((2, 1))}
        >>> gj.symmetry.layers.gauge_orbit(params, jnp.eye(2), 0.0)["encode"].ravel().tolist()
        [1.0, 1.0]

    References: [Liu2023]
    """
    return gauge_act(params, jax.scipy.linalg.expm(t * direction))
