"""Message passing between points by their distances: equivariant to motions of space and to the order of the points."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.equivariant.perceptrons import HIGHEST, perceptron, perceptron_init
from geojax.typing import Key, Params


def egnn_init(
    features: int, *, width: int, attributes: int = 0, velocity: bool = False, key: Key
) -> dict[str, Any]:
    """Random parameters of `egnn_layer`, in the default floating dtype.

    Perceptrons of two layers: message [2 c + 1 + e] -> [width], shift [width] -> 1, feature [c + width] -> [c] and, if
    asked for, velocity [c] -> 1. The shift starts small and has no bias at its end: points move little at first.

    Args:
        features: Number of features of a point, c >= 1; static.
        width: Width of the messages and of the hidden layers, >= 1; static.
        attributes: Number of attributes of an edge, e; static.
        velocity: Whether the layer is to move velocities.
        key: Typed random key.

    Returns:
        {"message", "shift", "feature", "velocity"} -> {"w1", "b1", "w2", "b2"}.

    Raises:
        TypeError, ValueError: If a size is not a positive integer, or key is not a typed key.

    Differentiation: none; the key is the only argument that is no size.

    Complexity: O(width (width + c + e)) numbers.

    Example:
        >>> import jax
        >>> from geojax.equivariant import egnn_init
        >>> theta = egnn_init(4, width=8, key=jax.random.key(0))
        >>> sorted(theta), theta["message"]["w1"].shape
        (['feature', 'message', 'shift'], (9, 8))

    References: [Satorras2021].
    """
    where = "egnn_init"
    checks.typed_key(where, key)
    c = checks.count(where, "features", features, minimum=1)
    width = checks.count(where, "width", width, minimum=1)
    e = checks.count(where, "attributes", attributes)
    keys = jax.random.split(key, 4)
    theta = {
        "message": perceptron_init(keys[0], 2 * c + 1 + e, width, width),
        "shift": perceptron_init(keys[1], width, width, 1, scale=1e-2, bias=False),
        "feature": perceptron_init(keys[2], c + width, width, c),
    }
    return theta | {"velocity": perceptron_init(keys[3], c, width, 1)} if velocity else theta


@rounded_once
def egnn_layer(
    theta: Params,
    h: Float[Array, "n c"],
    x: Float[Array, "n d"],
    *,
    edges: Float[Array, "n n"] | None = None,
    attributes: Float[Array, "n n e"] | None = None,
    v: Float[Array, "n d"] | None = None,
) -> tuple[Float[Array, "n c"], Float[Array, "n d"]] | tuple[Array, Array, Float[Array, "n d"]]:
    """Layer that moves points along the lines between them, and renews their features.

    m_ij = message(h_i, h_j, |x_i - x_j|^2, a_ij),
    x'_i = x_i + C sum_j e_ij (x_i - x_j) shift(m_ij),  h'_i = h_i + feature(h_i, sum_j e_ij m_ij).
    With velocities v'_i = velocity(h_i) v_i + C sum_j e_ij (x_i - x_j) shift(m_ij) and x' = x + v'.
    For any motion Q x + t of space x' moves by it, v' by Q, and h' stays; all three follow a change of order.

    Args:
        theta: Parameters, as `egnn_init` makes them.
        h: Features, [n, c].
        x: Positions, [n, d], for any d.
        edges: Weights e_ij of the messages from j to i, [n, n]: 0 where there is no edge or one of the points is
            padding. By default 1 between all different points. The diagonal is not read.
        attributes: Attributes a_ij of the edges, [n, n, e].
        v: Velocities, [n, d], in units of x; theta then has a part "velocity".

    Returns:
        (h', x'), or (h', x', v') with velocities. C = sum_i e_i / sum_i e_i^2 with e_i = sum_j e_ij: it is 1 / (n - 1)
        if all points are joined, padding does not change it, and it is the same for all points, so that the mean of x
        stays where e_ij shift(m_ij) is symmetric.

    Raises:
        ValueError: At trace time, if shapes disagree, or theta is not made for them.

    Differentiation: exact, at coincident points too.

    Complexity: O(n^2 width (width + c + d)).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.equivariant import egnn_init, egnn_layer
        >>> theta = egnn_init(1, width=4, key=jax.random.key(0))
        >>> h, x = jnp.ones((3, 1)), jnp.eye(3)
        >>> there = egnn_layer(theta, h, x + 5)[1]
        >>> bool(jnp.allclose(there, egnn_layer(theta, h, x)[1] + 5, atol=1e-5))
        True

    References: [Satorras2021].
    """
    where = "egnn_layer"
    given = {"edges": edges, "attributes": attributes, "v": v}
    given = {name: each for name, each in given.items() if each is not None}
    h, x, *others = checks.floats(where, h=h, x=x, **given)
    given = dict(zip(given, others))
    n = checks.shapes(where, h=(h, "n c"), x=(x, "n d"))["n"]
    h_i = jnp.broadcast_to(h[:, None], (n, n, h.shape[1]))
    apart = x[:, None] - x
    parts = [h_i, h_i.swapaxes(0, 1), jnp.sum(apart * apart, axis=-1, keepdims=True)]
    if "attributes" in given:
        checks.shapes(where, h=(h, "n c"), attributes=(given["attributes"], "n n e"))
        parts.append(given["attributes"])
    weights = given.get("edges", jnp.ones((n, n), h.dtype))
    checks.shapes(where, h=(h, "n c"), edges=(weights, "n n"))
    weights = jnp.where(jnp.eye(n, dtype=bool), 0, weights)
    messages = perceptron(where, theta, "message", jnp.concatenate(parts, axis=-1))
    degrees = jnp.sum(weights, axis=1)
    squares = jnp.sum(degrees * degrees)
    scale = jnp.where(squares == 0, 0, jnp.sum(degrees) / jnp.where(squares == 0, 1, squares))
    factors = scale * weights * perceptron(where, theta, "shift", messages)[..., 0]
    shifts = jnp.sum(factors[..., None] * apart, axis=1)
    received = jnp.einsum("ij,ijk->ik", weights, messages, precision=HIGHEST)
    renewed = h + perceptron(where, theta, "feature", jnp.concatenate([h, received], axis=-1))
    if "v" not in given:
        return renewed, x + shifts
    checks.shapes(where, x=(x, "n d"), v=(given["v"], "n d"))
    moved = perceptron(where, theta, "velocity", h) * given["v"] + shifts
    return renewed, x + moved, moved
