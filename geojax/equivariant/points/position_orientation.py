"""Positions with orientations: the numbers that tell pairs apart up to motions, and convolutions by them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.equivariant.perceptrons import HIGHEST, part_of, perceptron, perceptron_init
from geojax.typing import Key, Params


@rounded_once
def position_orientation_invariants(
    p: Float[Array, " d"], n: Float[Array, " d"], q: Float[Array, " d"], m: Float[Array, " d"]
) -> Float[Array, " k"]:
    """All that motions leave alone in a pair of points with orientations, in the plane or in space.

    In space, with D = q - p: (n . D, |n x D|, n . m, m . D). In the plane: (n . D, n x D, the angle from n to m).

    Args:
        p: Position, [2] or [3].
        n: Orientation at p, a unit vector.
        q: Position of the other point.
        m: Orientation at q, a unit vector.

    Returns:
        In space [4]: two pairs have the same four numbers exactly if a rotation or reflection and a shift take one to
        the other; the sign of (n x m) . D tells those apart that only a reflection takes there. The first three alone
        do not say how m leans to D. In the plane [3], which are the same exactly if a rotation and a shift take one
        pair to the other; the angle, in radians, jumps from pi to -pi between opposite orientations. Lengths are in
        units of p.

    Raises:
        ValueError: At trace time, if the shapes are not all [2] or all [3].

    Differentiation: exact; where D is along n the derivative of |n x D| is taken as 0.

    Complexity: O(1).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import position_orientation_invariants
        >>> x, y, z = jnp.eye(3)
        >>> position_orientation_invariants(0 * x, z, 3 * x + 4 * z, x).tolist()
        [4.0, 3.0, 0.0, 3.0]

    References: [Bekkers2024].
    """
    where = "position_orientation_invariants"
    p, n, q, m = checks.floats(where, p=p, n=n, q=q, m=m)
    checks.shapes(where, p=(p, "d"), n=(n, "d"), q=(q, "d"), m=(m, "d"))
    _dimension(where, "p", p.shape[0])
    apart = q - p
    if len(p) == 2:
        cosine, sine = _turn(n, m)
        return jnp.stack([*_seen_from(n, apart), jnp.arctan2(sine, cosine)])
    return jnp.stack([*_seen_from(n, apart), jnp.sum(n * m), jnp.sum(m * apart)])


def position_orientation_init(
    features: int, features_out: int, *, width: int, dimension: int = 3, key: Key
) -> dict[str, Any]:
    """Random parameters of `position_orientation_conv`, in the default floating dtype.

    Perceptrons for the two kernels, and a matrix between the features.

    Args:
        features: Number of features that come in, c >= 1; static.
        features_out: Number of features that go out; static.
        width: Width of the hidden layers of the kernels; static.
        dimension: 2 for the plane, 3 for space; static.
        key: Typed random key.

    Returns:
        {"spatial", "spherical": {"w1", "b1", "w2", "b2"}, "channels": {"w", "b"}}.

    Raises:
        TypeError, ValueError: If a size is not a positive integer, dimension is not 2 or 3, or key is no typed key.

    Differentiation: none; the key is the only argument that is no size.

    Complexity: O(c (width + features_out)) numbers.

    Example:
        >>> import jax
        >>> from geojax.equivariant import position_orientation_init
        >>> theta = position_orientation_init(2, 5, width=8, key=jax.random.key(0))
        >>> theta["channels"]["w"].shape
        (2, 5)

    References: [Bekkers2024].
    """
    where = "position_orientation_init"
    checks.typed_key(where, key)
    c = checks.count(where, "features", features, minimum=1)
    out = checks.count(where, "features_out", features_out, minimum=1)
    width = checks.count(where, "width", width, minimum=1)
    _dimension(where, "the layer", dimension)
    keys = jax.random.split(key, 3)
    return {
        "spatial": perceptron_init(keys[0], 2, width, c),
        "spherical": perceptron_init(keys[1], 4 - dimension, width, c),
        "channels": {"w": jax.random.normal(keys[2], (c, out)) / c**0.5, "b": jnp.zeros(out)},
    }


@rounded_once
def position_orientation_conv(
    theta: Params,
    f: Float[Array, "n o c"],
    positions: Float[Array, "n d"],
    orientations: Float[Array, "o d"],
    *,
    edges: Float[Array, "n n"] | None = None,
) -> Float[Array, "n o k"]:
    """Convolution over positions and orientations, in three parts: over positions, over orientations, over features.

    With D_ij = p_j - p_i,
    g_io = sum_j e_ij k1(n_o . D_ij, |n_o x D_ij|) f_jo,
    h_io = mean over o' of k2(n_o . n_o') g_io',  f'_io = W h_io + b,
    with products of features one by one. In the plane k1 sees the sign of n x D and k2 also n_o x n_o'. The weights are
    shared by all pairs that a motion takes to each other.

    Args:
        theta: Parameters, as `position_orientation_init` makes them.
        f: Features at each point and orientation, [n, o, c].
        positions: Points, [n, 2] or [n, 3].
        orientations: The grid of orientations, unit vectors, [o, d], the same at all points.
        edges: Weights e_ij of point j at point i, [n, n], such as 0 for padding; by default 1 / n.

    Returns:
        Features [n, o, k]. A motion of positions and orientations changes nothing. If a rotation takes the grid of
        orientations to itself, turned positions with features permuted as the grid is give permuted features.
        In space reflections do so too. `f' @ w` over the features is a function of orientation whose mean with
        `orientations` is a vector that turns with the points.

    Raises:
        ValueError: At trace time, if shapes disagree, or theta is not made for them.

    Differentiation: exact; where a point lies along n_o the derivative of |n_o x D| is taken as 0.

    Complexity: O(o n^2 c width + n o^2 c + n o c k).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.equivariant import position_orientation_conv, position_orientation_init
        >>> theta = position_orientation_init(1, 1, width=4, key=jax.random.key(0))
        >>> grid = jnp.concatenate([jnp.eye(3), -jnp.eye(3)])
        >>> position_orientation_conv(theta, jnp.ones((2, 6, 1)), jnp.eye(3)[:2], grid).shape
        (2, 6, 1)

    References: [Bekkers2024].
    """
    where = "position_orientation_conv"
    f, positions, orientations = checks.floats(where, f=f, positions=positions, orientations=orientations)
    sizes = checks.shapes(
        where, f=(f, "n o c"), positions=(positions, "n d"), orientations=(orientations, "o d")
    )
    _dimension(where, "positions", sizes["d"])
    n = sizes["n"]
    weights = jnp.full((n, n), 1 / n, f.dtype)
    if edges is not None:
        (edges,) = checks.floats(where, edges=edges)
        checks.shapes(where, f=(f, "n o c"), edges=(edges, "n n"))
        weights = edges.astype(f.dtype)
    apart = positions[None, :] - positions[:, None]
    of_points = jax.vmap(jax.vmap(jax.vmap(_seen_from, (None, 0)), (None, 0)), (0, None))
    seen = jnp.stack(of_points(orientations, apart), axis=-1)
    spatial = perceptron(where, theta, "spatial", seen) * weights[..., None]
    along = jnp.einsum("oijc,joc->ioc", spatial, f, precision=HIGHEST)
    of_grid = jax.vmap(jax.vmap(_turn, (None, 0)), (0, None))
    turns = jnp.stack(of_grid(orientations, orientations), axis=-1)
    spherical = perceptron(where, theta, "spherical", turns) / len(orientations)
    around = jnp.einsum("opc,ipc->ioc", spherical, along, precision=HIGHEST)
    channels = part_of(where, theta, "channels", ("w", "b"))
    return jnp.matmul(around, channels["w"], precision=HIGHEST) + channels["b"]


def _seen_from(n: Array, apart: Array) -> tuple[Array, Array]:
    """How far a point is along an orientation, and beside it: signed in the plane, a length in space."""
    ahead = jnp.sum(n * apart)
    if len(n) == 2:
        return ahead, _cross(n, apart)
    return ahead, safe.norm(jnp.cross(n, apart))


def _turn(n: Array, m: Array) -> tuple[Array, ...]:
    """What stays of two orientations: cosine and sine of the angle in the plane, the cosine in space."""
    cosine = jnp.sum(n * m)
    return (cosine, _cross(n, m)) if len(n) == 2 else (cosine,)


def _cross(n: Array, m: Array) -> Array:
    return n[0] * m[1] - n[1] * m[0]


def _dimension(where: str, name: str, dimension: int) -> None:
    if dimension not in (2, 3):
        raise ValueError(
            f"{where}: {name} has dimension {dimension}; expected 2 or 3. Motions of other spaces leave other numbers."
        )
