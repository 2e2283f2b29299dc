"""Points in groups around chosen ones: groups within a radius, features of groups, and features carried back."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.equivariant.perceptrons import perceptron, perceptron_init
from geojax.transport.costs import SquaredEuclidean, pairwise
from geojax.transport.discrete.species import farthest_point_sampling
from geojax.typing import Key, Params, Scalar

NEIGHBOURS = 3


@rounded_once
def ball_query(
    x: Float[Array, "n d"],
    centers: Float[Array, "m d"],
    radius: Scalar,
    num: int,
    *,
    mask: Bool[Array, " n"] | None = None,
) -> tuple[Int[Array, "m num"], Float[Array, "m num"]]:
    """The nearest points within a radius of each centre, at most `num` of them.

    The nearest, not the first in the order of the points, so that the groups do not depend on it.

    Args:
        x: Points, [n, d].
        centers: Centres, [m, d].
        radius: Largest distance, in units of x; points at this distance are within it. Traced.
        num: Number of places in a group, at most n; static.
        mask: Which points there are, [n]; by default all.

    Returns:
        (indices, distances), both [m, num], nearest first. Places without a point have the distance inf, and the index
        of the nearest point of the group, or of any point where the group is empty.

    Raises:
        ValueError: At trace time, if shapes disagree, or num is not between 1 and n.

    Differentiation: exact in the distances, 0 where a point is the centre; none in the indices.

    Complexity: O(m n (d + log num)).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import ball_query
        >>> x = jnp.array([[0.0], [1.0], [3.0], [10.0]])
        >>> indices, distances = ball_query(x, x[:1], 3.0, 4)
        >>> indices.tolist(), distances.tolist()
        ([[0, 1, 2, 0]], [[0.0, 1.0, 3.0, inf]])

    References: [Qi2017].
    """
    where = "ball_query"
    x, centers, radius = checks.floats(where, x=x, centers=centers, radius=radius)
    n = checks.shapes(where, x=(x, "n d"), centers=(centers, "m d"), radius=(radius, ""))["n"]
    if checks.count(where, "num", num, minimum=1) > n:
        raise ValueError(f"{where}: num is {num}; expected at most the number of points, {n}. Lower it.")
    squares = pairwise(SquaredEuclidean(), centers, x)
    squares = jnp.where(_real(where, mask, x), squares, jnp.inf)
    indices = _nearest(squares, num)
    distances = jax.vmap(jax.vmap(safe.norm))(x[indices] - centers[:, None])
    # Written so that NaN counts as within the radius, and is seen.
    within = ~(distances > radius) & jnp.take_along_axis(squares < jnp.inf, indices, axis=1)
    within = within | jnp.isnan(distances)
    indices = jnp.where(within, indices, indices[:, :1]).astype(jnp.int32)
    return indices, jnp.where(within, distances, jnp.inf)


def set_abstraction_init(
    features: int, features_out: int, *, width: int, dimension: int = 3, key: Key
) -> dict[str, Any]:
    """Random parameters of `set_abstraction`, in the default floating dtype.

    A perceptron [d + c] -> [k] of a point in its group.

    Args:
        features: Number of features of a point, c, may be 0; static.
        features_out: Number of features of a group, k; static.
        width: Width of the hidden layer; static.
        dimension: Dimension d of the points; static.
        key: Typed random key.

    Returns:
        {"point": {"w1", "b1", "w2", "b2"}}.

    Raises:
        TypeError, ValueError: If a size is not a positive integer, or key is no typed key.

    Differentiation: none; the key is the only argument that is no size.

    Complexity: O(width (d + c + k)) numbers.

    Example:
        >>> import jax
        >>> from geojax.equivariant import set_abstraction_init
        >>> set_abstraction_init(2, 5, width=4, key=jax.random.key(0))["point"]["w1"].shape
        (5, 4)

    References: [Qi2017].
    """
    where = "set_abstraction_init"
    checks.typed_key(where, key)
    c = checks.count(where, "features", features)
    k = checks.count(where, "features_out", features_out, minimum=1)
    width = checks.count(where, "width", width, minimum=1)
    d = checks.count(where, "dimension", dimension, minimum=1)
    return {"point": perceptron_init(key, d + c, width, k)}


@rounded_once
def set_abstraction(
    theta: Params,
    x: Float[Array, "n d"],
    features: Float[Array, "n c"],
    *,
    num_centers: int,
    radius: Scalar,
    num: int,
    mask: Bool[Array, " n"] | None = None,
) -> tuple[Float[Array, "m d"], Float[Array, "m k"]]:
    """Fewer points with features of the groups around them.

    Centres are chosen by `farthest_point_sampling`, from the point farthest from the mean; group i is `ball_query` of
    centre i; its features are  max over j in the group of point((x_j - centre_i) / radius, features_j).
    Several radii have the same centres: concatenate their features.

    Args:
        theta: Parameters, as `set_abstraction_init` makes them.
        x: Points, [n, d].
        features: Features of the points, [n, c]; c may be 0.
        num_centers: Number of centres m, at most n; static.
        radius: Radius of the groups, > 0, in units of x. Traced.
        num: Largest number of points in a group, at most n; static.
        mask: Which points there are, [n]; by default all. If there are fewer than m, some centres are the same.

    Returns:
        (centres [m, d], features [m, k]), in the order in which centres are chosen, which is not that of the points. A
        shift of the points moves the centres and leaves the features. Where there is no point at all, features are 0.

    Raises:
        ValueError: At trace time, if shapes disagree, a number is not between 1 and n, or theta is not made for them.

    Differentiation: exact, with the centres and groups held fixed; between equal largest values it is shared.

    Complexity: O(n^2 d + m num width (d + c + k)).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.equivariant import set_abstraction, set_abstraction_init
        >>> theta = set_abstraction_init(0, 5, width=4, dimension=1, key=jax.random.key(0))
        >>> x = jnp.array([[0.0], [1.0], [2.0], [10.0]])
        >>> centers, features = set_abstraction(theta, x, jnp.ones((4, 0)), num_centers=2, radius=1.0, num=3)
        >>> centers.ravel().tolist(), features.shape
        ([10.0, 0.0], (2, 5))

    References: [Qi2017].
    """
    where = "set_abstraction"
    x, features, radius = checks.floats(where, x=x, features=features, radius=radius)
    n = checks.shapes(where, x=(x, "n d"), features=(features, "n c"))["n"]
    if checks.count(where, "num_centers", num_centers, minimum=1) > n:
        raise ValueError(
            f"{where}: num_centers is {num_centers}; expected at most the number of points, {n}."
        )
    real = _real(where, mask, x)
    chosen = _spread(x, real, num_centers)
    centers = x[chosen]
    indices, distances = ball_query(x, centers, radius, num, mask=real)
    local = jnp.concatenate([(x[indices] - centers[:, None]) / radius, features[indices]], axis=-1)
    values = perceptron(where, theta, "point", local)
    within = (distances < jnp.inf) | jnp.isnan(distances)
    largest = jnp.max(jnp.where(within[..., None], values, -jnp.inf), axis=1)
    return centers, jnp.where(jnp.any(within, axis=1)[:, None], largest, 0)


def _spread(x: Array, real: Array, num: int) -> Int[Array, " m"]:
    """Centres that are spread over the points there are, whatever their order."""
    x = jax.lax.stop_gradient(x)
    mean = jnp.sum(jnp.where(real[:, None], x, 0), axis=0) / jnp.maximum(jnp.sum(real), 1).astype(x.dtype)
    outside = jnp.sum(jnp.square(x - mean), axis=1)
    start = jnp.argmax(jnp.where(real, outside, -1))
    # Points that are not there are nearer to every centre than any that is, and so are never the farthest.
    squares = jnp.where(real, pairwise(SquaredEuclidean(), x, x), -1)
    return jnp.maximum(farthest_point_sampling(squares, num, start=start), 0)


@rounded_once
def interpolate_features(
    x: Float[Array, "n d"], centers: Float[Array, "m d"], features: Float[Array, "m k"]
) -> Float[Array, "n k"]:
    """Features at points from those at the three nearest centres, weighted by inverse squared distances.

    f(x) = sum_i w_i f_i / sum_i w_i  with w_i = 1 / |x - c_i|^2,  and f(c_i) = f_i.

    Args:
        x: Points, [n, d].
        centers: Centres, [m, d], m >= 1; with fewer than three all of them count.
        features: Features at the centres, [m, k].

    Returns:
        Features [n, k]; constants come back as they are. At a point that is several centres, their mean.

    Raises:
        ValueError: At trace time, if shapes disagree, or there is no centre.

    Differentiation: exact, with the choice of centres held fixed; at a centre too, where it is 0 in x.

    Complexity: O(n m d).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import interpolate_features
        >>> centers = jnp.array([[0.0], [3.0]])
        >>> interpolate_features(jnp.array([[1.0], [3.0]]), centers, jnp.array([[0.0], [5.0]])).ravel().tolist()
        [1.0, 5.0]

    References: [Qi2017].
    """
    where = "interpolate_features"
    x, centers, features = checks.floats(where, x=x, centers=centers, features=features)
    m = checks.shapes(where, x=(x, "n d"), centers=(centers, "m d"), features=(features, "m k"))["m"]
    if m == 0:
        raise ValueError(f"{where}: centers is empty; expected at least one centre.")
    nearest = _nearest(pairwise(SquaredEuclidean(), x, centers), min(NEIGHBOURS, m))
    return jax.vmap(lambda p, near: _weights(p, centers[near]) @ features[near])(x, nearest)


def _weights(p: Array, centers: Array) -> Float[Array, " k"]:
    """Shares of inverse squares, as products of the other squares, which are smooth where one of them is 0."""
    squares = jnp.sum(jnp.square(p - centers), axis=1)
    largest = jax.lax.stop_gradient(jnp.max(squares))
    squares = squares / jnp.where(largest == 0, 1, largest)
    others = jnp.where(jnp.eye(len(squares), dtype=bool), 1, squares)
    products = jnp.prod(others, axis=1)
    total = jnp.sum(products)
    zero = squares == 0
    shared = zero / jnp.maximum(jnp.sum(zero), 1).astype(squares.dtype)
    return jnp.where(total == 0, shared, products / jnp.where(total == 0, 1, total))


def _nearest(squares: Float[Array, "n m"], num: int) -> Int[Array, "n num"]:
    """Places of the smallest numbers of each row, in order; NaN is taken as the smallest, so that it is seen."""
    squares = jax.lax.stop_gradient(squares)
    return jax.lax.top_k(jnp.where(jnp.isnan(squares), jnp.inf, -squares), num)[1]


def _real(where: str, mask: Any, x: Array) -> Bool[Array, " n"]:
    if mask is None:
        return jnp.ones(len(x), bool)
    mask = jnp.asarray(mask)
    if mask.dtype != jnp.bool_:
        raise TypeError(f"{where}: mask has dtype {mask.dtype}; expected booleans. Compare it with 0.")
    checks.shapes(where, x=(x, "n d"), mask=(mask, "n"))
    return mask
